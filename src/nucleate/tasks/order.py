"""Ordered cells of a disordered crystal by settings, as named crystals in files, and as candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nucleate.chem.elements import atomic_number
from nucleate.chem.formula import formula_text
from nucleate.crystal.symmetry import space_group, space_group_symbol
from nucleate.errors import NucleateError
from nucleate.io.results import Named
from nucleate.orderings.partial import OrderedCrystal, OrderedCrystals, order_partial

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.pipeline.candidate import Candidate
    from nucleate.settings import OrderSettings


def ordered_by(
    structure: Structure,
    settings: OrderSettings,
    count: int,
    charges: Mapping[str, float] | None = None,
    merged: bool = False,
) -> OrderedCrystals:
    """As `orderings.partial.order_partial`, with what the settings say. Where species of one element alone share sites
    (Fe2+ and Fe3+, H and D), the crystal itself, with a note."""
    from nucleate.io.shared_sites import SAME_ELEMENT

    if (whole := whole_crystal(structure, merged)) is not None:
        (one,) = [OrderedCrystal(whole, 1, space_group(whole)[0], None)]
        return OrderedCrystals((one,), 1, 1, 0.0, notes=() if merged else (SAME_ELEMENT,))
    return order_partial(
        structure,
        count=count,
        max_atoms=settings.max_atoms,
        tolerance=settings.tolerance,
        multiples=settings.multiples,
        charges=charges,
        most=settings.arrangements,
        seed=settings.seed,
    )


def whole_crystal(structure: Structure, merged: bool = False) -> Structure | None:
    """The crystal with one element on each site, where species of one element alone share its sites; None for every
    other. merged: whether its file had such species, which the reader merged."""
    from nucleate.crystal.shared_sites import mix_of, without_vacancies

    mixes = [mix_of(site) for site in structure]
    if any(len(mix) > 1 for mix in mixes) or (structure.is_ordered and not merged):
        return None
    return without_vacancies(structure.lattice.matrix, structure.frac_coords, [next(iter(mix)) for mix in mixes])


def read_charges(text: str) -> dict[str, float]:
    """ "La=3,Mn=3.5" -> {"La": 3.0, "Mn": 3.5}. Raises NucleateError for another text."""
    out = {}
    for part in text.split(","):
        symbol, _, charge = (p.strip() for p in part.partition("="))
        atomic_number(symbol)
        try:
            out[symbol] = float(charge)
        except ValueError:
            raise NucleateError(f"'{part.strip()}' is no charge; write La=3,Mn=3.5,O=-2") from None
        if not math.isfinite(out[symbol]):
            raise NucleateError(f"the charge of {symbol} is {charge}; it must be a number")
    return out


def named_orderings(found: OrderedCrystals, parent: str) -> list[Named]:
    """The crystals with the names PARENT-1, PARENT-2 ... and what is known of each: the index of its space group, its
    space group, and its electrostatic energy (eV/atom) where there is one."""
    out = []
    for i, one in enumerate(found.crystals, start=1):
        info = {
            "formula": formula_text(one.structure.composition),
            "ordering_of": parent,
            "ordering_index": one.index,
            "space_group": space_group_symbol(one.space_group),
        }
        if one.energy is not None:
            info["ewald_energy"] = round(one.energy, 6)
        out.append(Named(f"{parent}-{i}", one.structure, info))
    return out


def candidates_of_orderings(found: OrderedCrystals, parent: str) -> list[Candidate]:
    """The same crystals as candidates, with the checks of their formulas and geometry."""
    from nucleate.pipeline.candidate import Candidate
    from nucleate.pipeline.origin import Origin
    from nucleate.stages.check import check_candidate

    out = []
    for one in named_orderings(found, parent):
        record = {**one.info, "notes": list(found.notes)}
        candidate = Candidate(one.name, structure=one.structure, provenance=record, origin=Origin("ordering"))
        out.append(check_candidate(candidate))
    return out


def write_orderings(path: Path, named: Sequence[Named]) -> None:
    """Write crystals as `io.write_structures` does, or as one CIF with a data block for each."""
    from nucleate.files import replacing
    from nucleate.io.write import safe_names, write_structures
    from nucleate.io.write_cif import cif_text

    if path.suffix.lower() != ".cif" or path.is_dir():
        write_structures(path, named)
        return
    blocks = []
    for name, one in zip(safe_names(n.name for n in named), named, strict=True):
        info = "".join(f"# {key}: {value}\n" for key, value in one.info.items())
        _, rest = cif_text(one.structure).split("\n", 1)
        blocks.append(f"data_{name}\n{info}{rest}")
    with replacing(path) as temporary:
        temporary.write_text("\n".join(blocks), encoding="utf-8")
