"""Structures of a composition from known crystals of the same ratio: decorated prototypes, ranked, with probabilities."""
