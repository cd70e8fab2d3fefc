"""What `predict` is made of: inputs -> files to be written -> images predicted -> what was done."""
