"""The operator's image, and what goes into it."""
