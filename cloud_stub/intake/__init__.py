"""Messages of piles: received, handed to the rooms that they concern, acknowledged after the commit."""
