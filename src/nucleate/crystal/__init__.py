"""Crystals as tensors, lattices and symmetry."""
