"""Whether crystals are the same: matches, uniqueness, METRe."""
