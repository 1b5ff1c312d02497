"""Comparison of crystals: matches of predictions, uniqueness and novelty, METRe."""
