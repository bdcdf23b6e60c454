"""What the user wrote, read into a `Project`."""
