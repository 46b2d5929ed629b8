"""Attacks on archives, by their numbers in the design's table; each must be found and named."""
