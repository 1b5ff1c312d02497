"""Requests with their meanings, one in each line of words_phrases.tsv. No request may be understood as its opposite.

Terms of a meaning: formula, system, asks (elements that must be there), any (groups A/B of which one is), without,
family, class, atoms and elements (LOW..HIGH), groups (numbers, a crystal system, "not cubic"), gap, ratio, novel,
stable, count; @NAME is a group of elements. named: words that have to be among those not understood. A request must
not ask for anything that its line does not name. "stop": the request is refused in one line.
"""

from pathlib import Path

import pytest

from nucleate.chem.classes import GROUPS
from nucleate.chem.formula import parse_formula
from nucleate.errors import NucleateError
from nucleate.request.parse import parse_request
from nucleate.request.symmetry import read_space_groups

LINES = [
    tuple(line.split("\t"))
    for line in (Path(__file__).parent / "words_phrases.tsv").read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]
# What is refused though a person would understand it
NOT_YET: set[str] = set()
NO_COUNT = 7919


def elements_of(text):
    out = []
    for part in text.split("@"):
        part = part.strip()
        if part in GROUPS:
            out += GROUPS[part]
        else:
            out += part.split()
    return set(out)


def meaning(text):
    out = {}
    for term in text.split("; "):
        name, _, value = term.partition("=")
        if name in ("asks", "without", "system"):
            out[name] = elements_of(value)
        elif name == "any":
            out[name] = {frozenset(g.split("/") if "@" not in g else elements_of(g)) for g in
                         ([value] if "@" in value else value.split())}  # fmt: skip
        elif name in ("atoms", "elements", "gap"):
            low, _, high = value.partition("..")
            out[name] = (float(low) if low else None, float(high) if high else None)
        elif name == "formula":
            out[name] = parse_formula(value)
        elif name == "groups":
            no = value.startswith("not ")
            groups = set(read_space_groups(value.removeprefix("not ")))
            out[name] = set(range(1, 231)) - groups if no else groups
        elif name in ("family", "class", "named"):
            out[name] = set(value.split(","))
        elif name == "ratio":
            out[name] = tuple(map(int, value.split(":")))
        elif name in ("count", "stable"):
            out[name] = float(value)
        else:
            out[name] = True
    return out


def understood(text):
    r = parse_request(text, default=NO_COUNT)
    span = lambda n: None if n is None else (n, n) if isinstance(n, int) else tuple(n)  # noqa: E731
    gap = r.properties.get("band_gap")
    out = {
        "formula": dict(r.composition) if r.composition is not None else None,
        "system": set(r.chemical_system or ()),
        "asks": set(r.contains),
        "any": {frozenset(g) for g in r.any_of},
        "without": set(r.exclude),
        "family": set(r.families),
        "class": set(r.classes),
        "atoms": span(r.num_atoms),
        "elements": span(r.num_elements),
        "groups": set(r.space_groups),
        "gap": gap and (gap[0] or None, gap[1] if gap[1] < 10 else None),
        "ratio": r.ratio,
        "novel": r.novel,
        "stable": r.stable,
        "count": r.candidates if r.candidates != NO_COUNT else None,
    }
    return {k: v for k, v in out.items() if v}, r.unread


def judge(text, said):
    """Whether a request was understood: "right", "inverted", "honest" or "wrong"; and the meaning that was found."""
    try:
        got, unread = understood(text)
    except NucleateError as error:
        assert "\n" not in str(error)
        return ("right" if said == "stop" else "honest"), str(error)
    if said == "stop":
        return "inverted", f"accepted: {got}"
    want = meaning(said)
    asked = got.get("asks", set()) | got.get("system", set()) | set(got.get("formula") or ())
    if asked & want.get("without", set()) or got.get("without", set()) & (
        want.get("asks", set()) | want.get("system", set())
    ):
        return "inverted", f"{got}"
    named = want.pop("named", set())
    if any(word not in " ".join(unread) for word in named):
        return "wrong", f"names {unread}"
    return ("right" if got == want else "wrong"), f"{got}, not understood: {unread}"


@pytest.mark.parametrize(("text", "said"), LINES, ids=[text for text, _ in LINES])
def test_phrase(text, said):
    outcome, got = judge(text, said)
    assert outcome == ("honest" if text in NOT_YET else "right"), got


def test_there_are_many():
    assert len(LINES) > 150
