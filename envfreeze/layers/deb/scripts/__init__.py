"""Maintainer scripts, read and never run: what a script would do when its package is installed afresh.

`shell` reads the POSIX shell language, `trace` follows a script through the branches that a fresh
installation takes, `review` says what of that no rule of ours covers.
"""
