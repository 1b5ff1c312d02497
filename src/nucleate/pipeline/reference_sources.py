"""Reference sets from anywhere: a table of energies, a run, pymatgen's entries, the Materials Project with a key.

Each becomes a `ReferenceSet` of one method, or is refused with a line that says what it lacks.
"""

from __future__ import annotations

import csv
import json
import math
import os
import re
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import PASS, Candidate
from nucleate.pipeline.corrections import corrected_method, onto
from nucleate.pipeline.reference import Entry, ReferenceSet, formula_key
from nucleate.pipeline.reference_build import formula_of

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure

MP = "mp:"  # "mp:Li-Fe-O": a chemical system of the Materials Project
VASP_RAW = "PBE+U with the Materials Project's settings (uncorrected)"


def read_source(source: str, base: ReferenceSet | None = None) -> ReferenceSet:
    """A set from .csv, .json, .jsonl (candidates), a run folder, or "mp:Li-Fe-O".

    base: the set that it is to join; energies of candidates are put on its scale. Raises NucleateError for a source
    that is not there, cannot be read, or names no method or several.
    """
    if source.startswith(MP):
        return materials_project(source.removeprefix(MP))
    path = Path(source)
    if path.is_dir():
        return _from_candidates(path / "candidates.jsonl", path.name, base)
    if path.suffix == ".jsonl":
        return _from_candidates(path, path.stem, base)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise NucleateError(f"{path} is not a text file") from None
    return _from_csv(path, text) if path.suffix == ".csv" else _from_json(path, text)


def _from_csv(path: Path, text: str) -> ReferenceSet:
    """Columns formula, energy (eV/atom), method; space_group, source, volume, num_atoms, correction if there are."""
    rows = list(csv.DictReader(text.splitlines()))
    missing = [c for c in ("formula", "energy", "method") if not rows or c not in rows[0]]
    if missing:
        raise NucleateError(
            f"{path} lacks column '{missing[0]}'; a table of energies has formula, energy (eV/atom) and method"
        )
    return _from_rows(path, rows, {row["method"] for row in rows})


def _from_json(path: Path, text: str) -> ReferenceSet:
    """{"method": ..., "entries": [{"formula": ..., "energy": eV/atom}, ...]}, or a list of pymatgen's entries."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise NucleateError(f"{path} is not JSON ({error})") from None
    if isinstance(data, dict) and {"method", "entries"} <= set(data):
        return _from_rows(path, data["entries"], {data["method"]})
    if isinstance(data, list) and data and all(isinstance(d, dict) and "composition" in d for d in data):
        from pymatgen.entries.computed_entries import ComputedEntry, ComputedStructureEntry

        kinds = [ComputedStructureEntry if "structure" in d else ComputedEntry for d in data]
        return from_computed_entries([kind.from_dict(d) for kind, d in zip(kinds, data, strict=True)], path.stem)
    raise NucleateError(f'{path} holds no energies: {{"method": ..., "entries": [...]}} or a list of ComputedEntry')


def _from_rows(path: Path, rows: Iterable[Mapping[str, Any]], methods: set[str]) -> ReferenceSet:
    if len(methods) != 1 or not next(iter(methods)):
        raise NucleateError(f"{path} must name one method for all its energies, not {sorted(methods)}")
    entries = []
    for number, row in enumerate(rows, 1):
        try:
            composition = _composition(row["formula"])
            energy, name = float(row["energy"]), str(row.get("source") or f"{path.name}:{number}")
            group, volume = int(row.get("space_group") or 0), float(row.get("volume") or math.nan)
            atoms = int(row.get("num_atoms") or composition.num_atoms)
            correction = float(row.get("correction") or 0)
        except (KeyError, TypeError, ValueError) as error:
            raise NucleateError(f"{path}, entry {number}: not a formula and an energy in eV/atom ({error})") from None
        entries.append(Entry(_formula(composition), energy, group, name, volume, atoms, correction))
    return ReferenceSet.from_entries(path.stem, methods.pop(), entries, {"source": path.name})


def _from_candidates(path: Path, name: str, base: ReferenceSet | None) -> ReferenceSet:
    """The relaxed candidates of a run; unrelaxed and failed ones are no minima and stay out."""
    from nucleate.pipeline.files import read_candidates

    candidates = [c for c in read_candidates([path])[0] if _is_minimum(c)]
    if not candidates:
        raise NucleateError(f"{path} holds no relaxed candidate with an energy")
    methods = {c.energies["energy"].method for c in candidates}
    if len(methods) > 1:
        raise NucleateError(f"{path} holds energies by several methods: {', '.join(sorted(methods))}")
    entries, method = [], methods.pop()
    if base is not None:
        base.require_method(method, corrected_method(method))
        method = base.method
    for c in candidates:
        assert c.structure is not None
        energy, correction = c.energies["energy"], None
        if base is not None:
            try:
                energy, correction = onto(energy, c.structure, base)
            except NucleateError:  # its correction is not known
                continue
        added = correction.total if correction is not None else 0.0
        entries.append(_entry(c.structure, energy.value, f"{name}/{c.id}", added))
    metadata = {"source": str(path)}
    if left_out := len(candidates) - len(entries):
        metadata["contents"] = f"{len(entries)} crystals; {left_out} left out, whose MP2020 correction is not known"
    return ReferenceSet.from_entries(name, method, entries, metadata)


def _is_minimum(c: Candidate) -> bool:
    relaxed = c.checks.get("relaxed")
    return (
        c.failure is None
        and c.structure is not None
        and "energy" in c.energies
        and bool(relaxed is not None and relaxed.verdict == PASS)
    )


def from_computed_entries(entries: Iterable[Any], name: str) -> ReferenceSet:
    """pymatgen's ComputedEntry objects, with the corrections that they carry.

    Raises NucleateError for a mixture of functionals, or of corrected and uncorrected energies.
    """
    entries = list(entries)
    kinds = {str(e.parameters.get("run_type", e.data.get("run_type", "GGA"))) for e in entries}
    if not kinds <= {"GGA", "GGA+U", "GGA_U"}:
        raise NucleateError(f"{name} holds energies of {', '.join(sorted(kinds))}; one hull takes GGA and GGA+U alone")
    anions = [e for e in entries if len(e.composition) > 1 and {"O", "F", "Cl"} & {str(x) for x in e.composition}]
    touched = {bool(e.energy_adjustments) for e in anions}
    if len(touched) > 1:
        raise NucleateError(f"{name} holds corrected and uncorrected energies; correct all of them (MP2020) or none")
    method = corrected_method(VASP_RAW) if touched == {True} or not anions else VASP_RAW
    rows = []
    for k, e in enumerate(entries):
        source, added = str(e.entry_id or f"{name}:{k + 1}"), float(e.correction_per_atom)
        structure = getattr(e, "structure", None)
        if structure is not None:
            rows.append(_entry(structure, float(e.energy_per_atom), source, added))
        else:
            composition = e.composition.element_composition
            atoms = int(composition.num_atoms)
            rows.append(Entry(_formula(composition), float(e.energy_per_atom), 0, source, math.nan, atoms, added))
    return ReferenceSet.from_entries(name, method, rows, {"source": name})


def materials_project(system: str) -> ReferenceSet:
    """All entries of a chemical system, GGA and GGA+U with MP2020 corrections, by the user's key (MP_API_KEY).

    They are kept in the cache folder under the version of the data base, and taken from there.
    """
    elements = sorted({e for e in re.split(r"[-,\s]+", system.strip()) if e})
    from nucleate.chem.elements import atomic_number

    for e in elements:
        atomic_number(e)
    try:
        from mp_api.client import MPRester
    except ImportError:
        raise NucleateError("the Materials Project needs the package mp-api: pip install 'nucleate[mp]'") from None
    if not os.environ.get("MP_API_KEY"):
        raise NucleateError("the Materials Project needs your key: set MP_API_KEY (it is on your dashboard there)")
    from nucleate.data.catalog import user_cache
    from nucleate.pipeline.reference import load_reference

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with MPRester(mute_progress_bars=True) as rester:
                file = user_cache() / "hull" / f"mp-{rester.db_version}-{'-'.join(elements)}.parquet"
                if file.is_file():
                    return load_reference(file)
                found = rester.get_entries_in_chemsys(elements, additional_criteria={"thermo_types": ["GGA_GGA+U"]})
    except NucleateError:
        raise
    except Exception as error:  # the client raises errors of many kinds: no network, a wrong key, a busy server
        raise NucleateError(f"the Materials Project did not answer: {str(error).splitlines()[0][:200]}") from None
    reference = from_computed_entries(found, f"mp-{'-'.join(elements)}")
    reference.save(file)
    return reference


def _entry(structure: Structure, energy: float, source: str, correction: float) -> Entry:
    from nucleate.crystal.symmetry import space_group

    composition = structure.composition.element_composition
    volume, number = structure.volume / len(structure), space_group(structure)[0]
    return Entry(_formula(composition), energy, number, source, volume, len(structure), correction)


def _composition(formula: str) -> Composition:
    from pymatgen.core import Composition

    found = Composition(formula).element_composition
    if not found or not found.valid or any(abs(n - round(n)) > 1e-6 for n in found.values()):
        raise ValueError(f"'{formula}'")
    return found


def _formula(composition: Composition) -> str:
    """The formula without parentheses that a set has."""
    counts = {str(e): round(n) for e, n in composition.get_el_amt_dict().items()}
    return formula_of(formula_key(counts))
