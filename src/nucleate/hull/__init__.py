"""Energies of known crystals, convex hulls, corrections: what a distance to the hull is made of."""
