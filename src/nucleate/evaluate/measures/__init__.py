"""Measures of generated crystals and formulas, such as validity, coverage and stability."""
