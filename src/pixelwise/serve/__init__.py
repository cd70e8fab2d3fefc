"""The HTTP door and its page; it comes in a later version."""
