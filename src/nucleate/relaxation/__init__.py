"""Relaxation of crystals by a potential, many at once."""
