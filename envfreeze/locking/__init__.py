"""From a `Project` to a `Lock`: one module per resolver, and the lock files' reading and writing."""
