"""A wish in plain words: crystal families, kinds of compounds, elements in and out, ratios, properties, novelty.

A request is cut into tokens (`tokens`). A lexicon of phrases (`phrases.tsv`, `lexicon`, `terms`) turns these into
terms, and for each subject a reader takes the terms that it understands: numbers and units (`amounts`, `numbers`),
replacements (`replacement`), symmetry and novelty (`qualities`), negations (`negation`), and what is wanted
(`contents`, `elements`). If no reader takes a negation, a comparison or a replacement, the request is refused, because
the rest would mean something else without it. Other words with a meaning are returned as not understood. Requests that
contradict themselves are refused (`wish`).
"""

from nucleate.generators.bounds import Bounds, bounds_text, within
from nucleate.request.words.reader import MOST_CHARACTERS, read_words
from nucleate.request.words.wish import Wish, shortened_list

__all__ = ["MOST_CHARACTERS", "Bounds", "Wish", "bounds_text", "read_words", "shortened_list", "within"]
