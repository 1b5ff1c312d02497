"""What is measured on crystals and formulas."""
