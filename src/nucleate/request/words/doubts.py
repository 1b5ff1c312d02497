"""Finds elements whose names do not clearly mean that they are wanted: named in small amounts, after an unknown verb,
with an opinion, or as the surroundings of the crystal."""

from __future__ import annotations

from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.sentence import END, Sentence

_THINGS = (lex.CLASS, lex.MIXED, lex.COUNTED, lex.FAMILY)


def refuse_doubtful(s: Sentence, first: int, last: int) -> None:
    """Raises NucleateError if the words around a list of elements may mean that they are not wanted. first, last: the
    terms of the list."""
    _refuse_little(s, first, last)
    _refuse_but(s, first, last)
    _refuse_unknown_verb(s, first, last)
    _refuse_judged(s, first, last)
    _refuse_preferred(s, first, last)


def _of_thing(s: Sentence, last: int) -> bool:
    """Whether a class or family follows a list of elements, as in "titanium oxides"."""
    return last + 1 < len(s.terms) and s.terms[last + 1].kind in _THINGS


def is_surroundings(s: Sentence, first: int, last: int) -> bool:
    """Whether elements are around the crystal and not in it: "on silicon", "a Pt electrode", "annealed in nitrogen"."""
    k = s.skip(first - 1, (lex.ARTICLE,), 2, -1)
    opening = s.terms[k].lower if s.kind(k) == lex.OPEN else ""
    if opening == "on" and not _of_thing(s, last):
        return True
    around = k > 0 and (opening == "in" or s.terms[k].lower in ("under", "over"))
    if around and s.terms[k - 1].lower in lex.words_of("surroundings", "before"):
        return True
    return s.kind(last + 1) != "" and s.terms[last + 1].lower in lex.words_of("surroundings", "after")


def _refuse_little(s: Sentence, first: int, last: int) -> None:
    """Refuses small amounts: "as little lead as possible", "hardly any cobalt", "small amounts of iron",
    "cobalt-poor"."""
    before = s.skip(first - 1, (lex.ARTICLE,), 2, -1)
    if s.kind(before) == lex.OPEN and s.terms[before].lower == "of":
        before -= 1
        if s.kind(before) and s.terms[before].lower in lex.words_of("asked", "quantity"):
            before = s.skip(before - 1, (lex.ARTICLE,), 2, -1)
    little = s.kind(before) != "" and s.terms[before].lower in lex.words_of("asked", "little")
    poor = s.kind(last + 1) != "" and s.terms[last + 1].lower in lex.words_of("asked", "poor")
    if little or poor:
        said = s.quote(before if little else first, last + 1 if poor else last)
        raise NucleateError(f"'{said}': amounts of an element cannot be asked for, only that it is there or is not")


def _refuse_but(s: Sentence, first: int, last: int) -> None:
    """Refuses "any oxide but iron oxide", where "but" may exclude what follows."""
    before = first - 1
    if s.kind(before) != lex.JOIN or s.terms[before].lower != "but":
        return
    phrase = s.terms[max(before - 8, 0) : before]
    end = max((k for k, t in enumerate(phrase) if t.text in END), default=-1)
    if not any(t.kind in (lex.NEGATION, lex.FREE) for t in phrase[end + 1 :]):
        raise NucleateError(f"'{s.quote(before, last)}' can be read in two ways; say 'but with' or 'but without'")


def _refuse_unknown_verb(s: Sentence, first: int, last: int) -> None:
    """Refuses unknown verbs with the elements as their object, which may remove them: "purged of Pb", "scrub the
    Pb"."""
    if _of_thing(s, last):
        return  # superconducting niobium nitrides
    k = first - 1
    openings: set[str] = set()
    article = anything = False
    while first - k < 6:
        kind = s.kind(k)
        if kind == lex.OPEN:
            openings.add(s.terms[k].lower)
        elif kind == lex.ARTICLE:
            article = True
        elif kind == lex.ANYTHING:
            anything = True
        elif kind == lex.EMPTY and s.terms[k].lower in ("me", "my", "our", "us", "your"):
            article = True
        elif kind != lex.EMPTY or s.terms[k].lower != "to":
            break
        k -= 1
    if s.kind(k) != lex.WORD:
        return
    word = s.terms[k].lower
    away = bool(openings) and openings <= {"of", "from", "use", "using"}
    direct = not openings and not word.endswith(tuple(lex.words_of("asked", "adjectives")))
    acts = word.endswith("ing") and (away or direct or anything)
    deed = away and word.endswith(("ed", *lex.words_of("asked", "deeds")))
    if acts or deed or (article and not openings and not anything):
        raise _doubt(s, k, last)


def _refuse_judged(s: Sentence, first: int, last: int) -> None:
    """Refuses sentences about an element, such as "Lead is poisonous", which do not say whether it is wanted."""
    if (
        first
        and s.terms[first - 1].lower == "where"
        and s.kind(last + 1) != ""
        and (s.terms[last + 1].lower in lex.words_of("asked", "former"))
    ):
        raise _doubt(s, first - 1, last + 1)  # put Mg where Zn was
    if (
        first
        and s.terms[first - 1].text not in END
        and s.terms[first - 1].lower not in lex.words_of("asked", "reasons")
    ):
        return
    if s.kind(last + 1) == lex.WORD and s.terms[last + 1].lower.endswith("ly"):
        raise _doubt(s, first, last + 1)  # chromium strictly unwelcome
    if not s.kind(last + 1) or s.terms[last + 1].lower not in lex.words_of("asked", "copula"):
        return
    k = s.skip(last + 2, (lex.EMPTY, lex.ARTICLE), 4)
    if s.kind(k) in (lex.WORD, lex.ADJECTIVE) and s.terms[k].lower not in lex.words_of("asked", "wanted"):
        raise _doubt(s, first, k)


def _refuse_preferred(s: Sentence, first: int, last: int) -> None:
    """Refuses "tin over lead" and "tin standing in for lead", where one of two elements is to be replaced."""
    k = last + 1
    rather = lex.words_of("asked", "rather")
    while k < last + 4 and (
        s.kind(k) == lex.WORD or (s.kind(k) in (lex.EMPTY, lex.OPEN) and s.terms[k].lower not in rather)
    ):
        k += 1
    if not s.kind(k) or s.terms[k].lower not in rather:
        return
    other = s.skip(k + 1, (lex.ARTICLE,), 2)
    purpose = s.kind(other + 1) in (lex.WORD, lex.EMPTY, lex.REPLACE, *_THINGS) and s.terms[k].lower == "for"
    if s.kind(other) in (lex.ELEMENT, lex.GROUP) and not purpose:
        raise _doubt(s, first, other)


def _doubt(s: Sentence, first: int, last: int) -> NucleateError:
    return NucleateError(
        f"'{s.quote(first, last)}' leaves open whether the elements are wanted; say 'with' or 'without' before them"
    )
