"""Model -> other formats; other formats -> model."""
