from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.crystal.prototype import prototype_of, same_prototype
from nucleate.crystal.symmetry import space_group, without_hand
from nucleate.errors import NucleateError
from nucleate.hull.reference import Entry
from nucleate.library import load_library
from nucleate.pipeline.candidate import Candidate, Check, Energy
from nucleate.request.parse import parse_request
from nucleate.settings import DesignSettings
from nucleate.stages.novelty import KnownCrystals, NoveltyStage, UniqueStage
from nucleate.tasks.blueprint import _stages


def rocksalt(a: float = 5.64, species: tuple[str, str] = ("Na", "Cl")) -> Structure:
    return Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), list(species), [[0, 0, 0], [0.5, 0.5, 0.5]])


PAIRS = ((76, 78), (91, 95), (92, 96), (144, 145), (151, 153), (152, 154), (169, 170), (171, 172), (178, 179))
PAIRS += ((180, 181), (212, 213))


def handed(number: int) -> Structure:
    """A crystal of this group with all its atoms in general positions."""
    lattice = (
        Lattice.cubic(8) if number >= 195 else Lattice.hexagonal(6, 9) if number >= 143 else Lattice.tetragonal(6, 9)
    )
    return Structure.from_spacegroup(number, lattice, ["Si", "O"], [[0.11, 0.23, 0.31], [0.37, 0.06, 0.17]])


def mirrored(structure: Structure) -> Structure:
    """The mirror image."""
    return Structure(structure.lattice.matrix * [1, 1, -1], structure.species, structure.frac_coords)


def caesium_chloride(a: float = 3.42) -> Structure:
    return Structure(Lattice.cubic(a), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def moved(structure: Structure) -> Structure:
    """The same crystal in another cell: rotated, shifted, permuted, primitive."""
    other = structure.get_primitive_structure()
    other.translate_sites(range(len(other)), [0.13, 0.21, 0.37])
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    return Structure(other.lattice.matrix @ turn, other.species[::-1], other.frac_coords[::-1])


def candidate(name: str, structure: Structure | None, energy: float | None = None, relaxed: bool = True) -> Candidate:
    checks = {"relaxed": Check("pass" if relaxed else "fail")}
    energies = {} if energy is None else {"energy": Energy(energy, "m")}
    return Candidate(name, structure=structure, energies=energies, checks=checks)


def unique(*candidates: Candidate) -> dict[str, Check]:
    out = list(UniqueStage()(candidates))
    assert len(out) == len(candidates) and all(c.failure is None for c in out)
    return {c.id: c.checks["unique"] for c in out}


def test_the_lowest_of_equal_crystals_is_unique() -> None:
    a, b = candidate("a", rocksalt(), -3.40), candidate("b", moved(rocksalt(5.7)), -3.41)
    assert unique(a, b) == {"a": Check("fail", "same as b"), "b": Check("pass")}
    assert unique(b, a) == unique(a, b)
    assert unique(candidate("b", rocksalt()), candidate("a", rocksalt())) == {
        "a": Check("pass"),
        "b": Check("fail", "same as a"),
    }


def test_a_supercell_is_the_same_crystal() -> None:
    assert unique(candidate("a", rocksalt()), candidate("b", rocksalt() * (1, 1, 2)))["b"].verdict == "fail"


def test_an_approximate_supercell_is_recognised_within_symprec() -> None:
    cell = rocksalt().get_primitive_structure() * (1, 1, 3)
    shift = np.random.default_rng(0).normal(size=(len(cell), 3))
    shift *= 0.13 / np.linalg.norm(shift, axis=1, keepdims=True)
    rough = Structure(cell.lattice, cell.species, cell.cart_coords + shift, coords_are_cartesian=True)
    given = [candidate("a", rocksalt()), candidate("b", rough), candidate("c", caesium_chloride())]
    verdicts = [{c.id: c.checks["unique"].verdict for c in UniqueStage(s)(given)} for s in (0.0, 0.25)]
    assert verdicts[0]["b"] == "pass"  # without symprec pymatgen finds no primitive cell
    assert verdicts[1] == {"a": "pass", "b": "fail", "c": "pass"}


def test_a_crystal_whose_symmetry_is_not_found_in_time_is_compared_as_it_is(monkeypatch) -> None:
    """Sb10Ta4V, for which moyopy 0.21 never finishes with a tolerance of 0.22 angstrom or more."""
    monkeypatch.setattr("nucleate.crystal.same_crystal.TIME_LIMIT", 2.0)
    lattice = [[-1.6413, 2.838, 0.0021], [1.6529, 2.8447, 0.0463], [-0.6085, 1.5064, -39.5889]]
    coords = [
        *([0.4429, 0.5175, 0.5989], [0.9564, 0.1555, 0.9291], [0.4139, 0.4984, 0.6741], [0.4727, 0.0342, 0.0218]),
        *([0.0513, 0.1293, 0.7665], [0.3465, 0.4707, 0.8355], [0.0716, 0.7197, 0.1313], [0.6454, 0.4852, 0.2226]),
        *([0.8884, 0.8335, 0.388], [0.8352, 0.8407, 0.4894], [0.9473, 0.8281, 0.2783], [0.1371, 0.1816, 0.5456]),
        *([0.7672, 0.3968, 0.0768], [0.5866, 0.4941, 0.3316], [0.5283, 0.5052, 0.4386]),
    ]
    crystal = Structure(lattice, ["Sb"] * 10 + ["Ta"] * 4 + ["V"], coords)
    given = [
        candidate("a", crystal),
        candidate("b", rocksalt()),
        candidate("c", crystal),
        candidate("d", rocksalt() * (1, 1, 2)),
    ]
    verdicts = {c.id: c.checks["unique"].verdict for c in UniqueStage(0.25)(given)}
    assert verdicts == {"a": "pass", "b": "pass", "c": "fail", "d": "fail"}


def test_polymorphs_other_elements_and_volumes_are_unique() -> None:
    verdicts = unique(
        candidate("a", rocksalt()),
        candidate("b", caesium_chloride()),
        candidate("c", rocksalt(species=("K", "Cl"))),
        candidate("d", rocksalt(7.2)),  # twice the volume, which the matcher alone would accept
    )
    assert {v.verdict for v in verdicts.values()} == {"pass"}


def test_energies_count_only_for_converged_relaxations_of_one_method() -> None:
    far = candidate("a", rocksalt(), -3.4), candidate("b", rocksalt(), -3.0)
    assert unique(*far)["b"].verdict == "pass"
    stopped = candidate("a", rocksalt(), -3.4), candidate("b", rocksalt(), -3.0, relaxed=False)
    assert unique(*stopped)["b"].verdict == "fail"


def test_missing_structures_and_impossible_cells_are_unknown() -> None:
    freak = Structure(Lattice(np.diag([3.0, 3.0, 0.0])), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    verdicts = unique(candidate("a", None), candidate("b", freak), candidate("c", caesium_chloride()))
    assert (verdicts["a"].verdict, verdicts["b"].verdict, verdicts["c"].verdict) == ("unknown", "unknown", "pass")


def novel(structure: Structure | None, *args: object, **options: object) -> Candidate:
    (out,) = NoveltyStage(*args, **options)([candidate("a", structure)])  # type: ignore[arg-type]
    assert out.failure is None
    return out


def verdict(structure: Structure | None, *args: object, **options: object) -> Check:
    return novel(structure, *args, **options).checks["novel"]


def test_a_known_crystal_fails_and_says_which_it_is() -> None:
    found = novel(moved(rocksalt()))
    assert found.checks["novel"] == Check("fail", "structure known: mp-22862 (NaCl, Fm-3m)")
    assert found.novelty is not None and found.novelty.word == "structure known" and found.novelty.ids == ("mp-22862",)
    nearest = found.novelty.nearest
    assert nearest is not None and (nearest.id, nearest.formula) == ("mp-22862", "NaCl")
    assert nearest.relation == "same structure" and nearest.differs.startswith("volume per atom ")


def test_a_crystal_of_a_known_formula_passes() -> None:
    zincblende = Structure.from_spacegroup("F-43m", Lattice.cubic(6.3), ["Mg", "F"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    found = novel(caesium_chloride(), library=load_library().hidden(ids=["mp-22851"]))
    assert found.checks["novel"].verdict == "pass" and found.checks["novel"].reason.startswith("formula known: none of")
    found = novel(zincblende)
    assert found.checks["novel"].reason == f"new: none of {len(load_library()):,} known crystals has its formula"
    assert found.novelty is not None and found.novelty.nearest is not None and found.novelty.ids == ()


def test_an_ordering_neither_passes_nor_fails() -> None:
    mixed = Structure.from_spacegroup(
        "P4/mmm", Lattice.tetragonal(4.0, 5.7), ["Na", "Na", "Br", "Cl"],
        [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0, 0, 0.5]],
    )  # fmt: skip
    found = novel(mixed, library=load_library().hidden(formulas=[{"Na": 2, "Br": 1, "Cl": 1}]))
    check = found.checks["novel"]
    assert check.verdict == "unknown" and check.reason.startswith("ordering of Na(Br,Cl): Br and Cl would share a site")
    assert found.novelty is not None and found.novelty.word == "ordering of" and "mp-22862" in found.novelty.ids


def test_what_cannot_be_compared_is_unknown() -> None:
    assert verdict(None) == Check("unknown", "no structure to compare")
    freak = Structure(Lattice(np.diag([3.0, 3.0, 0.0])), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    found = novel(freak)
    assert found.checks["novel"].verdict == "unknown" and "no volume" in found.checks["novel"].reason
    assert found.novelty is not None and found.novelty.word == "unknown" and found.novelty.nearest is None


def known_file(path: Path, crystals: dict[str, Structure | None]) -> str:
    rows = {
        "material_id": list(crystals),
        "atomic_numbers": [[11, 17] if s is None else [x.specie.Z for x in s] for s in crystals.values()],
        "frac_coords": [None if s is None else s.frac_coords.ravel().tolist() for s in crystals.values()],
        "lengths": [None if s is None else list(s.lattice.abc) for s in crystals.values()],
        "angles": [None if s is None else list(s.lattice.angles) for s in crystals.values()],
    }
    pq.write_table(pa.table(rows), path)
    return str(path)


def test_crystals_of_a_data_set_are_known_too(tmp_path: Path) -> None:
    without = load_library().hidden(formulas=[{"Na": 1, "Cl": 1}])
    known = known_file(tmp_path / "mine.parquet", {"x-1": rocksalt(3.0, ("Mg", "O")), "x-2": rocksalt()})
    assert verdict(rocksalt(), library=without).verdict == "pass"
    found = novel(moved(rocksalt()), known, without)
    assert found.checks["novel"].verdict == "fail" and "x-2 of" in found.checks["novel"].reason
    assert found.novelty is not None and found.novelty.word == "structure known" and found.novelty.nearest is not None
    check = verdict(caesium_chloride(), known, without)
    assert check.verdict == "pass" and "none of 1 crystals of this formula in" in check.reason
    assert (
        verdict(rocksalt(), known).reason == "structure known: mp-22862 (NaCl, Fm-3m); structure known: x-2 of " + known
    )


def test_a_known_crystal_without_coordinates_makes_it_unknown(tmp_path: Path) -> None:
    known = known_file(tmp_path / "mine.parquet", {"x-1": None, "x-2": rocksalt(3.0, ("Mg", "O"))})
    without = load_library().hidden(formulas=[{"Na": 1, "Cl": 1}])
    assert verdict(rocksalt(), known, without).verdict == "unknown"
    assert verdict(rocksalt(), known).verdict == "fail"


def test_only_crystals_of_the_formula_are_built(tmp_path: Path) -> None:
    known_file(tmp_path / "mine.parquet", {"x-1": rocksalt(4.2, ("Mg", "O")), "x-2": rocksalt()})
    known = KnownCrystals("mine", pq.read_table(tmp_path / "mine.parquet"))
    known.check(rocksalt())
    assert list(known._prepared) == [1]


def test_a_data_set_without_structures_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"material_id": ["a"]}), tmp_path / "bad.parquet")
    with pytest.raises(NucleateError, match="column 'atomic_numbers'"):
        NoveltyStage(str(tmp_path / "bad.parquet"))


@pytest.mark.parametrize("pair", PAIRS)
def test_a_mirror_image_is_the_same_crystal(pair: tuple[int, int], tmp_path: Path) -> None:
    for number in pair:
        one, other = handed(number), mirrored(handed(number))
        assert {space_group(one)[0], space_group(other)[0]} == set(pair)
        assert unique(candidate("a", one), candidate("b", other))["b"] == Check("fail", "same as a")
        known = KnownCrystals("mine", pq.read_table(known_file(tmp_path / f"{number}.parquet", {"x-1": one})))
        assert known.check(other).verdict == "fail"
        assert same_prototype(prototype_of(one), prototype_of(other), {14: 14, 8: 8})
        entries = [Entry("SiO", -6.0, space_group(s)[0], "x", 9.0, len(one)) for s in (one, other)]
        assert entries[0].prototype == entries[1].prototype


def test_numbers_of_space_groups_without_handedness() -> None:
    assert {without_hand(n) for n in range(1, 231)} == set(range(1, 231)) - {b for _, b in PAIRS}
    assert [without_hand(n) for n in (0, 92, 96, 225)] == [0, 92, 92, 225]


def test_a_design_does_not_know_what_is_hidden_from_it() -> None:
    settings = DesignSettings().replaced(hide=("mp-22862",))
    stages = _stages(parse_request("NaCl"), settings, SimpleNamespace(stages=[]), None)  # type: ignore[arg-type]
    (stage,) = [s for s in stages if isinstance(s, NoveltyStage)]
    (found,) = stage([candidate("a", rocksalt())])
    assert found.checks["novel"].reason.startswith("formula known") and "mp-22862" not in str(found.novelty)
