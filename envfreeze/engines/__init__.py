"""From a `Lock` to an `Image`."""
