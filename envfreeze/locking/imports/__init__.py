"""Lock files of other tools: read as they are, and completed into what envfreeze locks."""
