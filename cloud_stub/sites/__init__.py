"""Sites and tags: what piles are grouped by, and the selections that name many piles at once."""
