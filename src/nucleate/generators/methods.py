"""Names of the methods that predict a structure for a formula, as users write them. Nothing here loads torch."""

RETRIEVAL, TEMPLATE, PROTOTYPE, RANDOM, ADAPTIVE = "retrieval", "template", "prototype", "random", "adaptive"
ORDERING = "ordering"  # what proposes a structure where retrieval has no likely one
RANDOM_ATOMS = 60  # the most in a cell of random search
MODEL_ATOMS = 20  # the most in a cell of the models of MP-20, adaptive and transformer
ADAPTIVE_WEIGHTS = "mp20-sites"  # the shipped model of crystals within a space group
# Options give these names another meaning, so no plug-in may have them
RESERVED = (ADAPTIVE, "transformer", "unimat", "compact", "auto", "lexicon", "none")
