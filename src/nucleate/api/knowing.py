"""Known crystals, for Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from nucleate.errors import NucleateError
from nucleate.library.entries import KnownEntries
from nucleate.library.library import Library, load_library

Range = str | float | tuple[float | None, float | None] | None


def known(
    query: str = "",
    *,
    exact: bool = False,
    contains: str | Sequence[str] = "",
    exclude: str | Sequence[str] = "",
    num_elements: Range = None,
    num_atoms: Range = None,
    space_group: str | int | Sequence[str | int] = "",
    anonymous: str = "",
    prototype: str = "",
    stable: bool = False,
    e_above_hull: Range = None,
    e_form: Range = None,
    band_gap: Range = None,
    experimental: bool | None = None,
    source: str = "",
    hide: str | Iterable[str] = (),
    library: Library | None = None,
) -> KnownEntries:
    """Known crystals that meet all that is asked, the most stable first (`Library.ordered`).

    query: a formula, a chemical system ("Li-Fe-O": with all its subsystems, or the `exact` one), an id ("mp-149"), or
    "" for all. contains, exclude: elements ("Li,O", ["Li", "O"]); exclude takes groups too ("toxic, rare earth").
    num_elements, num_atoms (in the primitive cell), e_above_hull, e_form (eV/atom), band_gap (eV): a number, a range
    "1..2", "..0.05" or a pair with None for no bound; crystals whose value is not known are left out. space_group:
    "Pnma", 62, "cubic" or several. anonymous: "ABC3". prototype: a label ("ABC3_cP5_221_a_b_c"), a crystal family
    ("perovskite") or another name of a structure type ("cuprite", "D0_3"). stable: on the hull of the source.
    experimental: whether it was made. source: "mp" (Materials Project: these have energies) or "oqmd" (crystals of its
    ICSD part that the other lacks). hide: datasets ("mp-20:val,test"), ids and formulas whose crystals must not be
    found. library: another one than that of nucleate.

    Raises NucleateError for an element, group, prototype, range or formula that is none, with what is near to it. Where
    nothing is found the result is empty.

    Example:
        >>> import nucleate
        >>> found = nucleate.known("TiO2", stable=True)
        >>> found[0].formula
        'TiO2'
        >>> len(nucleate.known(prototype="perovskite", experimental=True)) > 100
        True
    """
    from nucleate.library.hiding import hidden_view
    from nucleate.tasks.known import filters_of

    own = load_library() if library is None else library
    hidden = [hide] if isinstance(hide, str) else list(hide)
    view = hidden_view(own, [text for text in hidden if text])
    given: dict[str, Any] = {
        "query": query, "exact": exact, "contains": _joined(contains), "exclude": _joined(exclude),
        "num_elements": num_elements, "num_atoms": num_atoms, "space_group": _joined(space_group),
        "anonymous": anonymous, "prototype": prototype, "stable": stable, "e_above_hull": e_above_hull,
        "e_form": e_form, "band_gap": band_gap, "experimental": experimental, "source": source,
    }  # fmt: skip
    return view.select(filters_of(view, **given))


def _joined(value: Any) -> str:
    """One text of a text, a number or several of them."""
    if isinstance(value, str | int):
        return str(value)
    try:
        return ",".join(map(str, value))
    except TypeError:
        raise NucleateError(f"a text or a list of texts was expected, not {value!r}") from None
