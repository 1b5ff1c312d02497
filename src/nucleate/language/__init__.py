"""Language models that propose formulas: what they are asked, and which texts they are given to read."""
