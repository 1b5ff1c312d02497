"""Crystal families by name: their formulas, their prototypes, and how likely a formula is."""
