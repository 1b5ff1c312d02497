from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.hull.build import assemble_reference, compute_energies, contents_text, corrections_of, read_part
from nucleate.hull.known_crystals import known_table, select_crystals
from nucleate.hull.load import load_reference


def salt(a: float, species: tuple[str, str]) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), list(species), [[0, 0, 0], [0.5, 0.5, 0.5]])


def bcc(a: float, element: str) -> Structure:
    return Structure(Lattice.cubic(a), [element] * 2, [[0, 0, 0], [0.5, 0.5, 0.5]])


def perovskite(a: float, species: list[str]) -> Structure:
    return Structure.from_spacegroup("Pm-3m", Lattice.cubic(a), species, [[0] * 3, [0.5] * 3, [0.5, 0.5, 0]])


CRYSTALS: list[tuple[str, Structure, float | None]] = [
    ("oxide", perovskite(3.9, ["Sr", "Ti", "O"]), 0.0),
    ("other-ternary", perovskite(4.9, ["K", "Mg", "F"]), 0.0),
    ("near", salt(4.8, ("Ca", "O")), 0.01),
    ("binary", salt(4.2, ("Mg", "O")), 0.0),
    ("binary-tie", salt(4.25, ("Mg", "O")), 0.0005),
    ("higher-copy", salt(4.3, ("Mg", "O")), 0.004),
    ("too-high", salt(4.2, ("Fe", "O")), 0.05),
    ("unknown-hull", salt(4.2, ("Ni", "O")), None),
    ("supercell", bcc(4.2, "Na") * (2, 2, 2), 0.0),
    ("metal-high", Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.3), ["Na"], [[0, 0, 0]]), 0.4),
]


def table() -> pa.Table:
    return pa.table(
        {
            "material_id": [c[0] for c in CRYSTALS] + ["no-coordinates"],
            "atomic_numbers": [[s.specie.Z for s in c[1]] for c in CRYSTALS] + [[12, 8]],
            "frac_coords": [c[1].frac_coords.ravel().tolist() for c in CRYSTALS] + [None],
            "lengths": [list(c[1].lattice.abc) for c in CRYSTALS] + [None],
            "angles": [list(c[1].lattice.angles) for c in CRYSTALS] + [None],
            "e_above_hull": pa.array([c[2] for c in CRYSTALS] + [0.0], pa.float64()),
        }
    )


def energy_of(structures: Sequence[Structure]) -> list[float]:
    if any("K" in s.composition for s in structures):
        raise ValueError("potassium is not known here")
    return [-float(len(s)) for s in structures]


def relaxer(structure: Structure) -> tuple[Structure, float]:
    smaller = structure.copy()
    smaller.scale_lattice(structure.volume * 0.9)
    return smaller, -1.5


def test_selection_and_order() -> None:
    chosen = select_crystals(table())
    assert [k.source for k in chosen] == [
        "supercell",
        "metal-high",
        "binary",
        "binary-tie",
        "oxide",
        "other-ternary",
        "near",
    ]
    metal = chosen[0]
    assert (len(metal.atomic_numbers), metal.space_group) == (1, 229)  # the primitive cell of the supercell
    assert metal.structure().volume == pytest.approx(4.2**3 / 2, rel=1e-4)
    assert [k.source for k in select_crystals(table(), elements=["Mg", "O", "Na"])] == [
        "supercell",
        "metal-high",
        "binary",
        "binary-tie",
    ]
    assert "oxide" not in [k.source for k in select_crystals(table(), max_atoms=4)]
    assert "unknown-hull" in [k.source for k in select_crystals(table(), max_e_hull=None)]


def test_missing_column_is_named() -> None:
    with pytest.raises(NucleateError, match="'e_above_hull'"):
        select_crystals(table().drop_columns(["e_above_hull"]))
    with pytest.raises(NucleateError, match="'Xx' is not an element"):
        select_crystals(table(), elements=["Xx"])


def test_energies_entries_and_refusals(tmp_path: Path) -> None:
    part, out = tmp_path / "part.jsonl", tmp_path / "set.parquet"
    chosen, seen = select_crystals(table()), []
    compute_energies(chosen, part, "m", energy_of, relaxer, lambda done, total: seen.append((done, total)))
    assert seen[-1] == (7, 7)
    made = assemble_reference(part, out, "set", "m", len(chosen), {"licence": "CC-BY 4.0"})
    entries = {e.source: e for e in load_reference(out)}
    assert set(entries) == {"supercell", "metal-high", "binary", "binary-tie", "oxide", "near"}
    assert entries["binary"].formula == "MgO" and entries["oxide"].formula == "SrTiO3"
    assert (entries["binary"].energy, entries["binary"].num_atoms) == (-2.0, 2)
    assert entries["supercell"].energy == -1.5
    assert entries["supercell"].volume == pytest.approx(0.9 * 4.2**3 / 2, abs=2e-3)  # elements are relaxed in full
    assert entries["binary"].volume == pytest.approx(4.2**3 / 8, abs=2e-3)  # compounds stay as they are
    assert made.metadata["contents"] == "2 elemental, 3 binary, 1 ternary; complete; 1 refused by the potential"
    assert [r["failed"] for r in read_part(part, "m") if "failed" in r] == ["ValueError: potassium is not known here"]


def test_a_killed_run_is_continued(tmp_path: Path) -> None:
    part = tmp_path / "part.jsonl"
    chosen = select_crystals(table())
    compute_energies(chosen, part, "m", energy_of, relaxer)
    whole = part.read_text()
    lines = whole.splitlines(keepends=True)
    part.write_text("".join(lines[:3]) + lines[3][:10])  # killed in the middle of writing a line
    calls: list[Structure] = []

    def counting(structures: Sequence[Structure]) -> list[float]:
        calls.extend(structures)
        return energy_of(structures)

    compute_energies(chosen, part, "m", counting, relaxer)
    assert part.read_text() == whole
    assert len(calls) > 0 and all(len(s.composition) > 1 for s in calls)
    compute_energies(chosen, part, "m", lambda _: pytest.fail("nothing is left to do"), relaxer)


def test_the_contents_of_a_partial_set_say_that_it_is_partial(tmp_path: Path) -> None:
    part = tmp_path / "part.jsonl"
    chosen = select_crystals(table())
    compute_energies(chosen[:3], part, "m", energy_of, relaxer)
    made = assemble_reference(part, tmp_path / "set.parquet", "set", "m", len(chosen), {})
    assert "partial: 3 of 7 planned" in made.metadata["contents"]


def test_part_files_of_another_method_are_refused(tmp_path: Path) -> None:
    part = tmp_path / "part.jsonl"
    compute_energies(select_crystals(table())[:1], part, "m", energy_of, relaxer)
    with pytest.raises(NucleateError, match="energies by m, not other"):
        compute_energies(select_crystals(table()), part, "other", energy_of, relaxer)
    with pytest.raises(NucleateError, match="nothing has been computed"):
        assemble_reference(tmp_path / "no.jsonl", tmp_path / "set.parquet", "set", "m", 1, {})
    part.write_text(json.dumps({"method": "m"}) + "\n")
    with pytest.raises(NucleateError, match="no energies yet"):
        assemble_reference(part, tmp_path / "set.parquet", "set", "m", 1, {})
    assert not (tmp_path / "set.parquet").exists()


def test_contents_are_counted_by_elements_not_letters() -> None:
    from nucleate.hull.reference import Entry

    assert contents_text([Entry("NaCl", 0, 1, "a", 1, 1), Entry("Co", 0, 1, "b", 1, 1)], 2, 0).startswith(
        "1 elemental, 1 binary"
    )


def test_known_table_of_own_files(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    file = tmp_path / "mine.parquet"
    pq.write_table(table(), file)
    assert known_table(str(file), needs_hull=True).num_rows == len(CRYSTALS) + 1
    pq.write_table(table().drop_columns(["e_above_hull"]), file)
    assert known_table(str(file)).num_rows == len(CRYSTALS) + 1
    with pytest.raises(NucleateError, match="e_above_hull"):
        known_table(str(file), needs_hull=True)
    with pytest.raises(NucleateError):
        known_table(str(tmp_path / "nowhere.parquet"))


def test_raw_energies_are_corrected_and_the_correction_is_kept(tmp_path: Path) -> None:
    chosen = [k for k in select_crystals(table()) if k.source in ("binary", "supercell")]
    part, out = tmp_path / "part.jsonl", tmp_path / "set.parquet"
    compute_energies(chosen, part, "net (PBE+U, uncorrected)", energy_of, relaxer)
    made = assemble_reference(part, out, "set", "net (PBE+U, uncorrected)", 2, {}, corrections_of(chosen))
    assert made.method == load_reference(out).method == "net (PBE+U, MP2020-corrected)"
    entries = {e.source: e for e in load_reference(out)}
    assert entries["binary"].energy == pytest.approx(-2 - 0.687 / 2) and entries["supercell"].energy == -1.5
    assert entries["binary"].correction == pytest.approx(-0.687 / 2) and entries["supercell"].correction == 0


def test_crystals_of_the_library_can_be_chosen_too() -> None:
    from nucleate.hull.known_crystals import known_source

    chosen = select_crystals(known_source("known"), max_e_hull=0.0, max_atoms=40, elements=["Mg", "O"])
    names = {"".join(f"{e}{n if n > 1 else ''}" for e, n in k.key) for k in chosen}
    assert names == {"Mg", "O", "MgO"} and all(k.e_above_hull == 0 for k in chosen if len(k.key) > 1)
    oxide = next(k for k in chosen if len(k.key) > 1)
    assert oxide.space_group == 225 and oxide.structure().composition.reduced_formula == "MgO"
    assert {k.source for k in chosen} & {"mp-1265"}
