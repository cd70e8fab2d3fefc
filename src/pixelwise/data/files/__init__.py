"""One file on disk to an array of what it stores, and results back to files."""
