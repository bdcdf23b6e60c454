"""The public functions, each a short pipeline through the rooms above."""
