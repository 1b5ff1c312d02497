"""Orderings: atoms of several elements, or atoms and vacancies, put on the same sites of a known crystal in every way
that symmetry tells apart; and structures of a formula that are orderings of known crystals of simpler ratios."""
