"""Where a folder keeps images and masks: names and annotation files -> found samples."""
