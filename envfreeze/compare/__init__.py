"""Two images, one `Verdict`, with the explanation."""
