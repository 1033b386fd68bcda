"""`make demo`: the main job told as a story, every sentence of it checked."""
