"""Look once at every file, and find what is wrong with the data."""
