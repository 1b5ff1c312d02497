"""Reference sets from other sources: tables of energies, runs, pymatgen's entries, the Materials Project with a key.

Each becomes a `ReferenceSet` of one method, or is refused with a line that says what is missing.
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

from nucleate.chem.plausible import why_impossible
from nucleate.errors import NucleateError
from nucleate.hull.computed import entry_from_dict
from nucleate.hull.distances import formation_energy
from nucleate.hull.entries import entry_of, from_computed_entries, plain_formula
from nucleate.hull.reference import Entry, ReferenceSet, read_reference
from nucleate.hull.scale import to_reference_scale
from nucleate.io.numerals import real_number
from nucleate.pipeline.candidate import PASS, Candidate, Energy
from nucleate.pipeline.method import EnergyMethod

if TYPE_CHECKING:
    from pymatgen.core import Composition

MP = "mp:"  # "mp:Li-Fe-O" means a chemical system of the Materials Project
CORRECTED_ENDINGS = {":corrected": True, ":raw": False}  # after the name of a table, for energies that do not say it
TABLES = (".csv", ".json")


def split_correction_ending(source: str) -> tuple[str, bool | None]:
    """ "mine.json:raw" -> ("mine.json", False); None in place of False where the source has no such ending."""
    for ending, corrected in CORRECTED_ENDINGS.items():
        if source.endswith(ending) and not Path(source).exists():
            return source.removesuffix(ending), corrected
    return source, None


def with_correction_endings(sources: str, corrected: bool | None) -> str:
    """The sources, where every table of energies without an ending gets ":corrected" or ":raw".

    corrected: what the user says of the energies; with None the sources stay as they are. Raises NucleateError where
    there is no table.
    """
    if corrected is None:
        return sources
    parts, ending = [p.strip() for p in sources.split(",")], ":corrected" if corrected else ":raw"
    tables = [p for p in parts if split_correction_ending(p)[0].endswith(TABLES)]
    if not tables:
        raise NucleateError(f"--{ending[1:]} is said of tables of energies ({', '.join(TABLES)}), not of {sources}")
    return ",".join(p + ending if p in tables and split_correction_ending(p)[1] is None else p for p in parts)


def read_source(source: str, base: ReferenceSet | None = None) -> ReferenceSet:
    """A set from .csv, .json, .jsonl (candidates), a run folder, or "mp:Li-Fe-O".

    The name of a table may end in ":corrected" or ":raw", which says whether its energies hold MP2020 corrections.
    base: the set that it is to join; energies of candidates are brought to its scale. Raises NucleateError for a source
    that is not there, cannot be read, names no method or several, or holds energies that no crystal has.
    """
    if source.startswith(MP):
        return materials_project(source.removeprefix(MP))
    source, corrected = split_correction_ending(source)
    path = Path(source)
    if corrected is not None and path.suffix not in TABLES:
        raise NucleateError(f"{path} says itself whether its energies are corrected; only tables are called so")
    if path.is_dir():
        return _from_candidates(path / "candidates.jsonl", path.name, base)
    if path.suffix == ".jsonl":
        return _from_candidates(path, path.stem, base)
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise NucleateError(f"{path} is not a text file") from None
    found = _from_csv(path, text, corrected) if path.suffix == ".csv" else _from_json(path, text, corrected, base)
    return _plausible(found, path)


def _plausible(reference: ReferenceSet, path: Path) -> ReferenceSet:
    """The set. Raises NucleateError for energies or formation energies that no crystal has."""
    if len(reference) > 1 and all(entry.energy > 0 for entry in reference):
        raise NucleateError(f"all energies of {path} are positive; energies of bound crystals are negative, in eV/atom")
    for number, (entry, key) in enumerate(zip(reference, reference.keys, strict=True), 1):
        reason = why_impossible("energy", entry.energy)
        if not reason and {symbol for symbol, _ in key} <= reference.elements:
            e_form = formation_energy(dict(key), Energy(entry.energy, reference.method), reference)
            reason = why_impossible("e_form", e_form)
        if reason:
            raise NucleateError(f"{path}, entry {number} ({entry.formula}): {reason}; energies are eV per atom")
    return reference


def _from_csv(path: Path, text: str, corrected: bool | None) -> ReferenceSet:
    """From the columns formula, energy (eV/atom) and method, and space_group, source, volume, num_atoms and correction
    where the table has them."""
    rows = list(csv.DictReader(text.splitlines()))
    missing = [c for c in ("formula", "energy", "method") if not rows or c not in rows[0]]
    if missing:
        raise NucleateError(
            f"{path} lacks column '{missing[0]}'; a table of energies has formula, energy (eV/atom) and method"
        )
    return _from_rows(path, rows, {row["method"] for row in rows}, corrected)


def _from_json(path: Path, text: str, corrected: bool | None, base: ReferenceSet | None) -> ReferenceSet:
    """From {"method": ..., "entries": [{"formula": ..., "energy": eV/atom}, ...]}, or from a list of pymatgen's
    entries."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise NucleateError(f"{path} is not JSON ({error})") from None
    if isinstance(data, dict) and {"method", "entries"} <= set(data):
        _refuse_units(path, data)
        if not isinstance(data["method"], str) or not isinstance(data["entries"], list):
            raise NucleateError(f"{path}: 'method' must be a text and 'entries' a list")
        return _from_rows(path, data["entries"], {data["method"]}, corrected)
    if isinstance(data, list) and data and all(isinstance(d, dict) and "composition" in d for d in data):
        entries = []
        for number, values in enumerate(data, 1):
            try:
                entries.append(entry_from_dict(values))
            except NucleateError as error:
                raise NucleateError(f"{path}, entry {number}: {error}") from None
        return from_computed_entries(entries, path.stem, corrected, base)
    raise NucleateError(f'{path} holds no energies: {{"method": ..., "entries": [...]}} or a list of ComputedEntry')


def _from_rows(
    path: Path, rows: Iterable[Mapping[str, Any]], methods: set[str], corrected: bool | None
) -> ReferenceSet:
    if len(methods) != 1 or not next(iter(methods)):
        raise NucleateError(f"{path} must name one method for all its energies, not {sorted(methods)}")
    entries = []
    for number, row in enumerate(rows, 1):
        try:
            composition, name = _composition(row["formula"]), str(row.get("source") or f"{path.name}:{number}")
            energy, correction = _number(row["energy"]), _number(row.get("correction") or 0)
            group, volume = int(row.get("space_group") or 0), row.get("volume") or math.nan
            volume = volume if volume is math.nan else _number(volume)
            atoms = int(row.get("num_atoms") or composition.num_atoms)
            if atoms < 1 or volume <= 0:
                raise ValueError("a volume or a number of atoms that is not positive")
            _refuse_units(path, row)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise NucleateError(f"{path}, entry {number}: not a formula and an energy in eV/atom ({error})") from None
        entries.append(Entry(plain_formula(composition), energy, group, name, volume, atoms, correction))
    method = EnergyMethod(methods.pop())
    if corrected is not None:
        method = method.called(corrected)
    return ReferenceSet.from_entries(path.stem, method, entries, {"source": path.name})


def _number(value: Any) -> float:
    """A finite number from a table, where it may be a text; raises ValueError for anything else, also true and
    false."""
    number = real_number(value.strip()) if isinstance(value, str) else None if isinstance(value, bool) else float(value)
    if number is None or not math.isfinite(number):
        raise ValueError(f"{str(value)[:40]!r} is not a finite number")
    return number


def _refuse_units(path: Path, values: Mapping[str, Any]) -> None:
    """Raises NucleateError where a column or key names another unit of the energies than eV per atom."""
    for key in ("unit", "units", "energy_unit", "energy_units"):
        said = str(values.get(key) or "eV/atom")
        if re.sub(r"[^a-z]|per", "", said.lower()) != "evatom":
            raise NucleateError(f"{path} says that its energies are in {said[:40]}; give them in eV/atom")


def _from_candidates(path: Path, name: str, base: ReferenceSet | None) -> ReferenceSet:
    """From the relaxed candidates of a run. Candidates that failed or did not converge are no minima and are left
    out."""
    from nucleate.pipeline.candidate_files import read_candidates

    candidates = [c for c in read_candidates([path])[0] if _is_minimum(c)]
    if not candidates:
        raise NucleateError(f"{path} holds no relaxed candidate with an energy")
    methods = {c.energies["energy"].method for c in candidates}
    if len(methods) > 1:
        raise NucleateError(f"{path} holds energies by several methods: {', '.join(sorted(methods))}")
    entries, method = [], methods.pop()
    if base is not None:
        base.require_method(method, method.with_corrections())
        method = base.method
    for c in candidates:
        assert c.structure is not None
        energy, correction = c.energies["energy"], None
        if base is not None:
            try:
                energy, correction = to_reference_scale(energy, c.structure, base)
            except NucleateError:  # its correction is not known
                continue
        added = correction.total if correction is not None else 0.0
        entries.append(entry_of(c.structure, energy.value, f"{name}/{c.id}", added))
    metadata = {"source": str(path)}
    if left_out := len(candidates) - len(entries):
        metadata["contents"] = f"{len(entries)} crystals; {left_out} left out, whose MP2020 correction is not known"
    return ReferenceSet.from_entries(name, method, entries, metadata)


def _is_minimum(c: Candidate) -> bool:
    """Whether the candidate has a relaxed structure and its energy."""
    relaxed = c.checks.get("relaxed")
    return (
        c.failure is None
        and c.structure is not None
        and "energy" in c.energies
        and bool(relaxed is not None and relaxed.verdict == PASS)
    )


def materials_project(system: str) -> ReferenceSet:
    """All GGA and GGA+U entries of a chemical system such as "Li-Fe-O", with MP2020 corrections.

    They are fetched with the user's key (environment variable MP_API_KEY) and kept in the cache folder by version of
    the database; later calls read that file. Raises NucleateError without the package mp-api, without a key, and where
    there is no answer.
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

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with MPRester(mute_progress_bars=True) as rester:
                file = user_cache() / "hull" / f"mp-{rester.db_version}-{'-'.join(elements)}.parquet"
                if file.is_file():
                    return read_reference(file)
                found = rester.get_entries_in_chemsys(elements, additional_criteria={"thermo_types": ["GGA_GGA+U"]})
    except NucleateError:
        raise
    except Exception as error:  # the client raises errors of many kinds: no network, a wrong key, a busy server
        raise NucleateError(f"the Materials Project did not answer: {str(error).splitlines()[0][:200]}") from None
    reference = from_computed_entries(found, f"mp-{'-'.join(elements)}", corrected=True)
    reference.save(file)
    return reference


def _composition(formula: str) -> Composition:
    from pymatgen.core import Composition

    found = Composition(formula).element_composition
    if not found or not found.valid or any(abs(n - round(n)) > 1e-6 for n in found.values()):
        raise ValueError(f"'{formula}'")
    return found
