"""Orders: states, creation, transitions, commands, views."""
