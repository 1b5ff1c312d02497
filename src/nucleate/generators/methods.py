"""The names of the ways to give a formula a structure, as users say them. Nothing here loads torch."""

TEMPLATE, PROTOTYPE, RANDOM, ADAPTIVE = "template", "prototype", "random", "adaptive"
ADAPTIVE_WEIGHTS = "mp20-sites"  # the shipped model of crystals within a space group
# names that options take for something else, so that no plug-in may have them
RESERVED = (ADAPTIVE, "transformer", "unimat", "compact", "auto", "lexicon", "none")
