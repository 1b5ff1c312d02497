"""Energies of known crystals, and convex hulls of them."""
