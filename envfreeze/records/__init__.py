"""Which commit and which lock made which image."""
