"""Reads the families, classes, formulas and chemical systems that are wanted."""

from __future__ import annotations

from dataclasses import replace

from nucleate.chem.classes import classes
from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError
from nucleate.request.words import lexicon as lex
from nucleate.request.words.sentence import Sentence, Term
from nucleate.request.words.tokens import KNOWN
from nucleate.request.words.wish import Wish

_NUMBERED_FAMILIES = ("Ruddlesden-Popper", "Dion-Jacobson", "Aurivillius")


def read_families(s: Sentence, wish: Wish) -> None:
    """Adds the wanted crystal families, and elements that their names imply, to the wish."""
    found: list[str] = list(wish.families)
    for i, t in enumerate(s.terms):
        if s.kind(i) != lex.FAMILY or s.kind(i - 1) == lex.NEGATION:
            continue
        if s.kind(i + 1) in (lex.LIKE, lex.THAN) and s.terms[i + 1].hyphen:
            continue
        found.append(str(t.value))
        wish.contains = (*wish.contains, *lex.implied_elements().get(lex.lookup_key(t.lower).removesuffix("s"), ()))
        s.take(i, i)
        k = i + 1
        if s.kind(k) == lex.TYPE or (
            s.kind(k) == lex.NOUN and s.terms[k].lower in ("structure", "structures") and s.terms[k].start
        ):
            s.take(k, k)
    wish.families = tuple(dict.fromkeys(found))


def read_layers(s: Sentence, wish: Wish) -> None:
    """Reads "n=2" before or after a family of layered structures. Raises NucleateError for a family that does not
    exist."""
    from nucleate.families.family import lexicon

    of = {i: base for i, t in enumerate(s.terms) if t.kind == lex.FAMILY
          for base in _NUMBERED_FAMILIES if str(t.value).startswith(base)}  # fmt: skip
    if not of:
        return
    for k in range(len(s.terms) - 2):
        if s.terms[k].lower == "n" and s.terms[k + 1].text == "=" and s.kind(k + 2) == lex.NUMBER:
            for i, base in of.items():
                wanted = f"{base} n={s.terms[k + 2].value:g}"
                if wanted not in lexicon():
                    raise NucleateError(
                        f"'{s.quote(k, k + 2)}': there is no family {wanted}; nucleate families lists those there are"
                    )
                s.terms[i] = replace(s.terms[i], value=wanted)
            s.take(k, k + 2)


def read_classes(s: Sentence, wish: Wish) -> None:
    """Adds the wanted classes of compounds to the wish. "metal" beside another class means its cation and is not
    taken."""
    found: list[str] = []
    metals: list[int] = []
    for i, t in enumerate(s.terms):
        if s.kind(i - 1) == lex.NEGATION:
            continue
        if s.kind(i) == lex.CLASS:
            if t.value == "metal":
                metals.append(i)
                continue
            found.append(t.value)
            s.take(i, i)
        elif s.kind(i) == lex.COUNTED:
            name, ratio = t.value
            found.append(name)
            wish.ratio = wish.ratio or ratio
            s.take(i, i)
        elif s.kind(i) == lex.MIXED:
            anion, others = t.value
            wish.contains = (*wish.contains, anion)
            if len(others) == 1:
                wish.contains = (*wish.contains, *others)
            else:
                wish.any_of = (*wish.any_of, others)
            s.take(i, i)
    for i in metals:
        if not found and not (wish.families and not _metallic(wish)) and not _cation(s, i):
            found.append("metal")
            s.take(i, i)
    wish.classes = tuple(dict.fromkeys(found))


def _cation(s: Sentence, i: int) -> bool:
    """Whether "metal" at term i means a kind of atoms, as in "any metal", "one metal" and "two metals"."""
    return s.kind(i - 1) in (lex.ARTICLE, lex.NUMBER) and s.terms[i - 1].lower in (
        "any",
        "one",
        "two",
        "three",
        "each",
        "every",
    )


def _metallic(wish: Wish) -> bool:
    from nucleate.families.family import lexicon

    return any(lexicon()[name].metallic for name in wish.families)


def read_wanted_formulas(s: Sentence, wish: Wish) -> None:
    """Adds the wanted formula and chemical system to the wish, without those that are only compared with. Raises
    NucleateError for several different ones."""
    places = [i for i, t in enumerate(s.terms) if t.kind == lex.FORMULA and not s.used[i]]
    formulas: dict[str, dict[str, int]] = {}
    for i in places:
        if _compared(s, i):
            continue
        counts = dict(s.terms[i].value)
        formulas.setdefault(str(sorted(counts.items())), counts)
        s.take(i, i)
    if len(formulas) > 1:
        raise NucleateError(
            f"one formula at a time: the request names {' and '.join(formula_text(c) for c in formulas.values())}"
        )
    wish.composition = next(iter(formulas.values()), None) or (None if wish.spoken else _lone_element(s))
    for i, t in enumerate(s.terms):
        if s.kind(i) == lex.SYSTEM and not _compared(s, i):
            anions = s.kind(i + 1) in (lex.CLASS, lex.MIXED) and not _within_class(s.terms[i + 1], t.value)
            if anions:  # Li-Mn oxide
                wish.contains = (*wish.contains, *t.value)
            elif wish.system is not None and set(wish.system) != set(t.value):
                raise NucleateError(
                    f"one chemical system at a time: the request names {'-'.join(wish.system)} and {t.text}"
                )
            else:
                wish.system = tuple(t.value)
            s.take(i, i)
        elif s.kind(i) == lex.RATIO and s.kind(i - 1) != lex.NEGATION:
            ratio, named = t.value
            if wish.ratio and wish.ratio != ratio:
                raise NucleateError(f"'{t.text}' and the ratio {':'.join(map(str, wish.ratio))} contradict each other")
            wish.ratio = ratio
            wish.contains = (*wish.contains, *named)
            s.take(i, i)


def _lone_element(s: Sentence) -> dict[str, int] | None:
    """The formula of a single element with nothing beside it but numbers and symmetry: "Si, 2 atoms"; None
    otherwise."""
    rest = [i for i, t in enumerate(s.terms) if not s.used[i] and t.kind not in (lex.MARK, lex.JOIN)]
    if len(rest) != 1 or s.kind(rest[0]) != lex.ELEMENT or s.terms[rest[0]].text not in KNOWN:
        return None
    s.take(rest[0], rest[0])
    return {str(s.terms[rest[0]].value): 1}


def _within_class(t: Term, system: tuple[str, ...]) -> bool:
    if t.kind == lex.MIXED:
        return bool({t.value[0]} & set(system))
    kind = classes()[t.value]
    return not kind.anions or bool(kind.anions & set(system))


def _compared(s: Sentence, i: int) -> bool:
    """Whether the formula at term i is only compared with: "like LiCoO2", "SrTiO3-based", "other than TiO2"."""
    stops = (lex.LIKE, lex.THAN, lex.NEGATION, lex.REPLACE)
    before = s.skip(i - 1, (lex.ARTICLE, lex.EMPTY, lex.OPEN), 2, -1)
    if s.kind(i - 1) in stops or (s.kind(before) in stops and s.terms[before].lower not in ("but",)):
        return True
    if s.kind(i - 1) == lex.OPEN and s.terms[i - 1].lower == "based on":
        return True
    after = s.terms[i + 1] if i + 1 < len(s.terms) else None
    if after is None or s.used[i + 1]:
        return False
    return after.kind in (lex.LIKE, lex.TYPE, lex.FREE) or (
        after.hyphen and after.kind in (lex.EMPTY, lex.WORD, lex.OPEN)
    )
