"""Candidates, the stages that work on them, and the order in which they are ranked."""
