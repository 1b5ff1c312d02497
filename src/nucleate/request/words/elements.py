"""Reads the elements that are wanted: lists with "and" and "or", and lists of all elements that there may be."""

from __future__ import annotations

from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.doubts import is_surroundings, refuse_doubtful
from nucleate.request.words.negation import read_list
from nucleate.request.words.sentence import Sentence, Term
from nucleate.request.words.wish import Wish

_ELEMENTS = (lex.ELEMENT, lex.GROUP)
_OR = ("or", "and/or", "|")


def read_elements(s: Sentence, wish: Wish) -> None:
    """Adds lists of elements and groups to the wish. All elements of a list are wanted; of those joined by "or", one is
    wanted; with "only", no other elements are. Raises NucleateError for lists that are not understood."""
    contains, any_of = list(wish.contains), list(wish.any_of)
    only = False
    i = 0
    while i < len(s.terms):
        if s.kind(i) not in _ELEMENTS or (s.kind(i - 1) == lex.NEGATION) or s.kind(i + 1) in (lex.FREE, lex.LIKE):
            i += 1
            continue
        if s.terms[i].lower == "lead" and s.kind(i + 1) and s.terms[i + 1].lower == "to":
            i += 1
            continue
        found = read_list(s, i, _ELEMENTS)
        if found is None or is_surroundings(s, i, found.last):
            i += 1
            continue
        refuse_doubtful(s, i, found.last)
        parts = [s.terms[p] for p in found.places]
        joins = found.joins
        one_of = _one_of(s, i)
        if all(p.kind == lex.ELEMENT for p in parts) and _closed(s, i, found.last):
            wish.system = _system(wish, tuple(dict.fromkeys(p.value for p in parts)))
            only = True
        else:
            for some in _either(parts, joins, one_of):
                if len(some) == 1 and some[0].kind == lex.ELEMENT:
                    contains.append(some[0].value)
                else:
                    any_of.append(
                        tuple(
                            dict.fromkeys(e for p in some for e in ((p.value,) if p.kind == lex.ELEMENT else p.value))
                        )
                    )
        s.take(i, found.last)
        i = found.last + 1
    if not only:
        for i in range(len(s.terms)):
            near = any(t.kind in _ELEMENTS for t in s.terms[max(i - 3, 0) : i + 4])
            if s.kind(i) == lex.ONLY and s.kind(i - 1) != lex.NEGATION and near:
                raise NucleateError(
                    f"'{s.around(max(i - 3, 0), 5)}' was not understood; write Mg-Si-O, or: only Mg, Si and O"
                )
    wish.contains = tuple(dict.fromkeys(contains))
    wish.any_of = tuple(dict.fromkeys(any_of))


def _system(wish: Wish, elements: tuple[str, ...]) -> tuple[str, ...]:
    if wish.system is not None and set(wish.system) != set(elements):
        raise NucleateError(f"the systems {'-'.join(wish.system)} and {'-'.join(elements)} contradict each other")
    return elements


def _closed(s: Sentence, first: int, last: int) -> bool:
    """Whether a list names all elements that there may be: "only Mg and Si", "Fe and O only", "Elements: Ba, Y, Cu,
    O"."""
    k = s.skip(first - 1, (lex.OPEN, lex.EMPTY, lex.ARTICLE, lex.NOUN), 4, -1)
    before = s.kind(k) == lex.ONLY and s.kind(k - 1) != lex.NEGATION
    j = s.skip(first - 1, (lex.ARTICLE,), 2, -1)
    before = before or (
        s.kind(j) != ""
        and s.terms[j].lower in lex.words_of("closing", "before list")
        and s.kind(last + 1) not in (lex.CLASS, lex.MIXED, lex.FAMILY)
    )  # just Ga and N
    inside = any(s.terms[j].lower == "made only of" for j in range(max(first - 1, 0), first))
    if s.kind(k) == lex.ONLY and s.kind(k - 1) != lex.NEGATION:
        s.take(k, k)
    after = s.kind(last + 1) == lex.ONLY
    if after:
        s.take(last + 1, last + 1)
    colon = (
        first > 1
        and s.terms[first - 1].text == ":"
        and s.terms[first - 2].lower in ("elements", "system", "chemical system")
    )
    return before or after or inside or colon


def _one_of(s: Sentence, i: int) -> bool:
    """Whether "one of" or "any of" is before a list."""
    return any(
        s.terms[j].lower in ("one of", "at least one of", "any of", "one of the", "either")
        for j in range(max(i - 2, 0), i)
    )


def _either(parts: list[Term], joins: tuple[str, ...], one_of: bool) -> list[list[Term]]:
    """The list in groups, one element of each of which is wanted: "Ba and Ti or Zr" means Ba, and one of Ti and Zr."""
    if one_of:
        return [parts]
    out: list[list[Term]] = [[parts[0]]]
    for k, join in enumerate(joins):
        following = next((j for j in joins[k:] if j != ","), "and")
        alternative = join in _OR or (join == "," and following in _OR)
        if alternative:
            out[-1].append(parts[k + 1])
        else:
            out.append([parts[k + 1]])
    return out
