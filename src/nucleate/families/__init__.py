"""Crystal families by name: their formulas and prototypes, and how likely formulas are."""
