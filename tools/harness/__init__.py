"""Real broker, cloud, database and piles as processes, and the long runs that try to break them."""
