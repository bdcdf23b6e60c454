"""The image format and where images live. Knows nothing of Python packages."""
