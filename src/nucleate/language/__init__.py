"""A language model as a proposer of formulas: what it is asked, and what it is given to read."""
