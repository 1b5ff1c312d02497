"""Reads what must not be there: "without lead", "lead-free", "neither Fe nor Co", "anything but oxides"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nucleate.chem.classes import classes
from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.amounts import Amount
from nucleate.request.words.sentence import Sentence, Term
from nucleate.request.words.wish import Wish

_ITEMS = (lex.ELEMENT, lex.GROUP, lex.CLASS, lex.ADJECTIVE)
_THINGS = (lex.CLASS, lex.MIXED, lex.FAMILY, lex.COUNTED, lex.FORMULA)
_LISTING = frozenset((",", "and", "or", "nor", "/", "|", "and/or", "&", "plus", "as well as", "and also"))
_OUT_AFTER = 4  # there may be so many words between an element and its "excluded"


@dataclass(frozen=True)
class ElementList:
    """A list of elements, groups and classes. places: indices of their terms. last: the last of these. joins: the words
    between them."""

    places: tuple[int, ...]
    last: int
    joins: tuple[str, ...]


def read_negations(s: Sentence, wish: Wish) -> None:
    """Adds the elements and classes that a text excludes to the wish. Negations that cannot be expressed by excluding
    elements are not taken."""
    barred: list[str] = []
    _not_only(s)
    _free(s, barred)
    for i in range(len(s.terms)):
        if s.kind(i) == lex.NEGATION and s.terms[i].value != "stops":
            _listed_after(s, i, barred)
    wish.exclude = tuple(dict.fromkeys((*wish.exclude, *barred)))


def read_zeros(s: Sentence, wish: Wish, left: Sequence[Amount]) -> list[Amount]:
    """Excludes elements with an amount of zero ("Co: 0", "0 % Co"). Returns the other amounts."""
    barred: list[str] = []
    others: list[Amount] = []
    for a in left:
        others.append(a)
        if a.low != 0 or a.high != 0 or a.op or a.unit not in ("", "%", "ppm"):
            continue
        k = a.last + 1
        while s.kind(k) and s.terms[k].lower in ("of", "at", "wt", "mol", "%"):
            k += 1
        j = a.first - 1
        while s.kind(j) and s.terms[j].lower in (":", "is", "content", "amount"):
            j -= 1
        linked = j < a.first - 1 or s.kind(a.first) == lex.OP
        place = k if s.kind(k) in _ITEMS else j if linked and s.kind(j) in _ITEMS else None
        if place is not None and _exclude(s, min(place, a.first), max(place, a.last), [place], barred):
            others.pop()
    wish.exclude = tuple(dict.fromkeys((*wish.exclude, *barred)))
    return others


def _not_only(s: Sentence) -> None:
    """Takes "not only" in "not only Mn but also Fe", where both are wanted."""
    for i in range(len(s.terms) - 1):
        if s.kind(i) == lex.NEGATION and s.terms[i].lower == "not" and s.kind(i + 1) == lex.ONLY:
            s.take(i, i + 1)


def read_list(s: Sentence, i: int, kinds: Sequence[str] = _ITEMS) -> ElementList | None:
    """The list of elements, groups and classes that begins at term i; None if there is none."""
    i = s.skip(i, (lex.ARTICLE,), 3)
    if s.kind(i) not in kinds:
        return None
    places, joins, last = [i], [], i
    while True:
        k = last + 1
        n = 0
        while s.kind(k) in (lex.JOIN, lex.NEGATION) and s.terms[k].lower in _LISTING and n < 3:
            k, n = k + 1, n + 1
        if not n:
            break
        said = s.terms[k - 1].lower
        j = s.skip(k, (lex.ARTICLE,), 2)
        if said == "," and s.kind(j) == lex.CLASS and s.kind(last) != lex.CLASS:
            break  # without lead, oxides
        if s.kind(j) not in kinds or (j > k and s.terms[k].lower in ("a", "an", "the") and said == ","):
            break
        places.append(j)
        joins.append(said)
        last = j
    return ElementList(tuple(places), last, tuple(joins))


def elements_to_exclude(t: Term) -> tuple[str, ...] | None:
    """The elements that must be excluded to exclude a term; None if this cannot be expressed by elements."""
    if t.kind == lex.ELEMENT:
        return (t.value,)
    if t.kind in (lex.GROUP, lex.ADJECTIVE):
        return tuple(t.value)
    if t.kind == lex.CLASS:
        kind = classes()[t.value]
        if kind.anions and not kind.needs:
            return tuple(sorted(kind.anions))
    return None


def _exclude(s: Sentence, first: int, last: int, places: Sequence[int], barred: list[str]) -> bool:
    """Adds the elements of the terms `places` to `barred` and takes the terms from first to last; False, with nothing
    taken, if one of them cannot be excluded by elements."""
    found = [elements_to_exclude(s.terms[p]) for p in places]
    if any(f is None for f in found):
        return False
    for f in found:
        barred += f or ()
    s.take(first, last)
    return True


def _free(s: Sentence, barred: list[str]) -> None:
    """Reads "lead-free", "free of lead" and "lead excluded"."""
    for i, t in enumerate(s.terms):
        if s.kind(i) != lex.FREE:
            continue
        if t.lower in ("free of", "free from", "free form", "free off"):
            if s.kind(i - 1) != lex.NEGATION:
                _listed_after(s, i, barred)
            continue
        if t.lower == "less" and not t.hyphen and not t.glued:
            continue
        if t.hyphen or t.glued:
            _suspended(s, i, barred)
        else:
            _spaced(s, i, barred)


def _before(s: Sentence, i: int) -> list[int]:
    """The terms of the list of elements that ends before term i, in order; joined by commas, "and" or "or"."""
    places: list[int] = []
    k = i - 1
    while s.kind(k) in _ITEMS and not (places and (s.kind(k) == lex.CLASS) != (s.kind(places[0]) == lex.CLASS)):
        places.insert(0, k)
        j = k - 1
        while s.kind(j) == lex.JOIN and s.terms[j].lower in _LISTING:
            j -= 1
        if j == k - 1:
            break
        k = j
        if s.kind(k) == lex.MARK and s.terms[k].text == "-" and s.terms[k].glued:  # lead- and cadmium-free
            k -= 1
    return places


def _suspended(s: Sentence, i: int, barred: list[str]) -> None:
    """Reads "X-free". In "lead- and cadmium-free", "Pb/Cd-free", and "lead and cadmium-free" without a word that
    introduces the list, all elements are excluded."""
    places = _before(s, i)
    if not places:
        return
    both = len(places) > 1 and (_hangs(s, places) or _bare(s, places))
    first = places[0] if both else places[-1]
    if s.kind(first - 1) == lex.NEGATION:
        return  # not lead-free
    chosen = places if both else places[-1:]
    _exclude(s, first, i, chosen, barred)


def _hangs(s: Sentence, places: Sequence[int]) -> bool:
    """Whether the first element of a list ends with a hyphen, or all are joined by slashes."""
    between = [s.terms[k].text for k in range(places[0] + 1, places[-1]) if k not in places]
    return "-" in between or set(between) == {"/"}


def _bare(s: Sentence, places: Sequence[int]) -> bool:
    """Whether a list with "and" or "or" begins its phrase, without "with" or "of" before it. Raises NucleateError for a
    list with commas only, which can be read in two ways."""
    joins = {s.terms[k].lower for k in range(places[0] + 1, places[-1]) if k not in places}
    before = s.kind(places[0] - 1)
    if joins & {"and", "or", "and/or", "&"}:
        return before not in (lex.OPEN, lex.FREE, lex.CLASS, lex.FAMILY) and places[0] - 1 >= -1
    if before in ("", lex.MARK, lex.ARTICLE, lex.EMPTY):
        said = s.quote(places[0], places[-1] + 1)
        raise NucleateError(
            f"'{said}' can be read in two ways; write each as in: Pb-free, Cd-free, or: with Sn, Pb-free"
        )
    return False


def _spaced(s: Sentence, i: int, barred: list[str]) -> None:
    """Reads "lead free", "Pb and Cd excluded" and "arsenic must be absent"."""
    k, n = i - 1, 0
    while s.kind(k) in (lex.EMPTY, lex.OPEN, lex.ARTICLE, lex.MADE) and n < _OUT_AFTER:
        k, n = k - 1, n + 1
    places = _before(s, k + 1)
    if not places:
        return
    both = len(places) > 1 and _bare(s, places)
    chosen = places if both else places[-1:]
    if s.kind(chosen[0] - 1) == lex.NEGATION:
        return
    if not both and len(places) > 1 and s.terms[i].lower != "free":
        both, chosen = True, places
        if s.kind(places[0] - 1) == lex.OPEN:
            return
    following = s.kind(i + 1)
    if s.terms[i].lower != "free" and following in (*_ITEMS, lex.ARTICLE):
        return  # in "halides absent lead", the absent element follows
    if s.terms[i].lower == "free" and following in (lex.ELEMENT, lex.WORD) and n:
        return
    _exclude(s, chosen[0], i, chosen, barred)


def _listed_after(s: Sentence, i: int, barred: list[str]) -> None:
    """Reads the list of elements, groups and classes after "without", "no" or "neither" at term i."""
    if s.kind(i - 1) == lex.NEGATION and s.terms[i - 1].lower not in ("but not", "and not", "nor", "and no"):
        return  # two negations
    glued = i + 1 < len(s.terms) and s.terms[i + 1].hyphen
    if s.terms[i].lower == "non" or (glued and s.terms[i].lower in ("non", "no", "not")):
        k = i + 1
        if s.kind(k) in _ITEMS:
            _exclude(s, i, k, [k], barred)
        return
    k = i + 1
    if s.terms[i].lower in ("excl", "exc", "ex") and k < len(s.terms) and s.terms[k].text == ".":
        k += 1
    while (
        s.kind(k)
        and lex.words_of("negated", "between").issuperset(s.terms[k].lower.split())
        and s.kind(k) not in _ITEMS
        and k - i < 8
    ):
        k += 1
    if s.terms[i].lower.endswith("not") and s.kind(k) == lex.ARTICLE and s.terms[k].lower in ("all", "every", "each"):
        return  # not all of it is iron
    if s.kind(i - 1) == lex.JOIN and s.terms[i - 1].lower in ("or", "and/or"):
        return  # with or without lead
    if s.kind(i - 1) == lex.JOIN and s.kind(i - 2) == lex.OPEN:
        return  # with and without lead
    found = read_list(s, k)
    if found is not None and set(found.joins) == {","} and any(s.kind(p) == lex.CLASS for p in found.places):
        raise NucleateError(f"'{s.quote(i, found.last)}' can be read in two ways; join what is excluded by 'or'")
    if found is None:
        return
    marked = s.terms[i].text == "-" or s.terms[i].text in lex.words_of("mark", "negates")
    if _more_than_a_list(s, i, found) and not (marked and len(found.places) == 1):  # !Pb chlorides
        return
    last = found.last
    if s.kind(last + 1) == lex.NOUN and s.terms[last + 1].lower.startswith("element"):
        last += 1
    _exclude(s, i, last, found.places, barred)


def _more_than_a_list(s: Sentence, i: int, found: ElementList) -> bool:
    """Whether the words after a list change its meaning: no lead oxides, no oxides of lead, no lead but tin alone."""
    after = found.last + 1
    kind = s.kind(after)
    last = s.terms[found.last]
    if kind in _THINGS or (kind in (lex.ELEMENT, lex.GROUP) and last.kind not in (lex.ELEMENT, lex.GROUP)):
        if kind in _THINGS and len(found.places) > 1 and found.joins[-1] == ",":
            said = s.quote(i, after)
            raise NucleateError(f"'{said}' can be read in two ways; say what is excluded last, or after 'without'")
        return True
    if kind in (lex.ELEMENT, lex.GROUP, lex.ADJECTIVE, lex.FREE, lex.REPLACE, lex.THAN, lex.LIKE, lex.TYPE):
        return True
    if kind == lex.WORD and s.terms[after].start - last.end <= 1:
        return True  # no lead acetate
    beyond = s.skip(after, (lex.ARTICLE, lex.EMPTY, lex.NOUN, lex.JOIN, lex.MARK), 4)
    if s.kind(beyond) == lex.NEGATION and s.terms[beyond].lower in lex.words_of("negated", "others"):
        return True  # no transition metals at all, except titanium
    return (
        last.kind == lex.CLASS
        and kind in (lex.OPEN, lex.EMPTY, lex.ARTICLE)
        and s.terms[after].lower in lex.words_of("negated", "narrows")
    )
