"""One locked artifact becomes one layer's entries; and the plan of layers for a whole lock."""
