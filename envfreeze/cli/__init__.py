"""The command line: one thin module per verb that parses, calls and prints."""
