"""What masks are made of and what their values mean: sources -> stored values -> class indices."""
