"""A wish in plain words: crystal families, kinds of compounds, elements in and out, ratios, properties, novelty.

A request is cut into tokens (`tokens`), these become terms by a lexicon of phrases (`phrases.tsv`, `lexicon`, `terms`),
and one reader for each subject takes the terms that it understands: numbers and units (`amounts`, `numbers`),
replacements (`replacement`), symmetry and novelty (`qualities`), negations (`negation`), and what is asked for
(`contents`, `elements`). What no reader took is known by its place. A negation, a comparison or a replacement that is
left stops the request, since without it the rest would mean something else; other words that mean anything are returned
as not understood. What contradicts itself is refused (`wish`).
"""

from nucleate.generators.bounds import Bounds, bounds_text, within
from nucleate.request.words.reader import MOST_CHARACTERS, read_words
from nucleate.request.words.wish import Wish, few

__all__ = ["MOST_CHARACTERS", "Bounds", "Wish", "bounds_text", "few", "read_words", "within"]
