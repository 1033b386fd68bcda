"""Sites and tags of piles."""
