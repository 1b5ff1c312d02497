"""Structures of a composition from known crystals of the same ratio: decorated prototypes with probabilities."""
