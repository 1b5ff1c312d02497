import itertools
import json

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

import nucleate
from nucleate.cli.main import app, main
from nucleate.errors import NucleateError
from nucleate.io import read_structures
from nucleate.orderings.partial import order_partial
from nucleate.tasks.order import read_charges

PEROVSKITE = [(0.5, 0.5, 0.5), (0, 0, 0), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)]


def manganite(la=0.5, sr=0.5):
    return Structure(Lattice.cubic(3.88), [{"La": la, "Sr": sr}, "Mn", "O", "O", "O"], PEROVSKITE)


def ybco():
    """YBa2Cu3O6.5: half of the chain oxygen is there."""
    species = ["Y", "Ba", "Cu", "Cu", {"O": 0.5}, "O", "O", "O"]
    sites = [
        (0.5, 0.5, 0.5), (0.5, 0.5, 0.184), (0, 0, 0), (0, 0, 0.356),
        (0, 0.5, 0), (0.5, 0, 0.378), (0, 0.5, 0.378), (0, 0, 0.158),
    ]  # fmt: skip
    return Structure.from_spacegroup("Pmmm", Lattice.orthorhombic(3.82, 3.88, 11.7), species, sites)


def olivine():
    """MgFeSiO4, both metal sites half and half."""
    half = {"Mg": 0.5, "Fe": 0.5}
    sites = [
        (0, 0, 0), (0.2775, 0.25, 0.9915), (0.094, 0.25, 0.4262),
        (0.0913, 0.25, 0.7658), (0.447, 0.25, 0.2215), (0.1633, 0.0331, 0.2777),
    ]  # fmt: skip
    lattice = Lattice.orthorhombic(10.22, 5.99, 4.76)
    return Structure.from_spacegroup("Pnma", lattice, [half, half, "Si", "O", "O", "O"], sites)


def nasicon():
    """Na3Zr2Si2PO12: a third of one sodium site is empty, and silicon and phosphorus share theirs."""
    sites = [
        (0, 0, 0), (0.636, 0, 0.25), (0, 0, 0.1456), (0.292, 0, 0.25), (0.186, 0.168, 0.0871), (0.193, 0.168, 0.194)
    ]  # fmt: skip
    species = ["Na", {"Na": 0.667}, "Zr", {"Si": 0.667, "P": 0.333}, "O", "O"]
    return Structure.from_spacegroup("R-3c", Lattice.hexagonal(8.8, 21.8), species, sites)


def argyrodite(lithium=1.0):
    """Li6PS5Cl with sulfur and chlorine shared between two sites; lithium simplified to a full 24g site."""
    species = ["P", "S", {"S": 0.5, "Cl": 0.5}, {"S": 0.5, "Cl": 0.5}, {"Li": lithium}]
    sites = [(0.5, 0.5, 0.5), (0.618, 0.618, 0.618), (0.25, 0.25, 0.25), (0, 0, 0), (0.03, 0.25, 0.25)]
    return Structure.from_spacegroup("F-43m", Lattice.cubic(9.86), species, sites)


def brute_force(structure, keys):
    """Every way to give the shared sites of the cell their elements, compared pair by pair by pymatgen's matcher.

    keys: of each shared site the key of its set of equivalent sites, each of which holds its shares."""
    from pymatgen.analysis.structure_matcher import StructureMatcher

    sets = {}
    for i, site in enumerate(structure):
        if not site.is_ordered:
            sets.setdefault(keys[i], []).append(i)
    ways = []
    for own in sets.values():
        mix = {e.symbol: n for e, n in structure[own[0]].species.items()}
        atoms = [s for s, n in mix.items() for _ in range(round(n * len(own)))]
        atoms += [None] * (len(own) - len(atoms))
        ways.append([(own, some) for some in sorted(set(itertools.permutations(atoms)), key=str)])
    matcher = StructureMatcher(ltol=0.01, stol=0.01, angle_tol=0.5, scale=False, primitive_cell=False)
    different = []
    for choice in itertools.product(*ways):
        put = {i: s for own, some in choice for i, s in zip(own, some, strict=True)}
        kept = [i for i in range(len(structure)) if put.get(i, "kept") is not None]
        names = [put.get(i) or structure[i].specie.symbol for i in kept]
        one = Structure(structure.lattice, names, structure.frac_coords[kept])
        if not any(matcher.fit(one, other) for other in different):
            different.append(one)
    return different


def rutile():
    """A rutile with two metals on its metal site and half of its oxygen."""
    species = [{"Ti": 0.5, "V": 0.5}, {"O": 0.5}]
    return Structure.from_spacegroup("P4_2/mnm", Lattice.tetragonal(4.6, 2.96), species, [(0, 0, 0), (0.305, 0.305, 0)])


@pytest.mark.parametrize(("made", "first"), [(olivine, 4), (rutile, 0)])
def test_the_number_in_one_cell_is_that_of_a_matcher(made, first):
    """first: sites that are a set of their own, though others have the same shares."""
    structure = made()
    found = order_partial(structure, count=1000)
    assert len(found.crystals[0].structure) == round(structure.composition.num_atoms)
    shares = [str(sorted((s.symbol, n) for s, n in site.species.items())) for site in structure]
    different = brute_force(structure, [f"{share} {i < first}" for i, share in enumerate(shares)])
    assert found.found == len(different) > 1


def test_a_salt_with_a_partly_empty_site_and_shared_anions():
    """NASICON: 225 arrangements of sodium, silicon and phosphorus in its primitive cell; argyrodite: twice the cell."""
    found = order_partial(nasicon())
    assert found.total == 225 and found.found == 24  # pymatgen's matcher finds 24, too, in seven minutes
    assert found.crystals[0].structure.composition.reduced_formula == "Na3Zr2Si2PO12"
    assert "Si 0.6667, P 0.3333 where the crystal has Si 0.667, P 0.333" in found.notes[0].replace(
        "Na 0.6667, vacancy 0.3333; ", ""
    ).replace("Na 0.667, vacancy 0.333; ", "")
    twice = order_partial(argyrodite())
    assert {len(c.structure) for c in twice.crystals} == {26} and twice.found == len(twice.crystals)
    assert sum(c.index for c in twice.crystals) == twice.total == 28  # 7 superlattices, 2 arrangements of either site


def test_half_a_perovskite_is_ordered_in_layers_columns_and_rock_salt():
    found = order_partial(manganite())
    assert [(c.space_group, c.index) for c in found.crystals] == [(225, 2), (123, 6), (123, 6)]
    assert found.total == 14 and found.deviation == 0 and not found.notes
    assert found.charges == {"La": 3, "Sr": 2, "Mn": 3.5, "O": -2}
    energies = [c.energy for c in found.crystals]
    assert energies == sorted(energies)
    more = order_partial(manganite(), multiples=2)
    assert more.found == 9 and {len(c.structure) for c in more.crystals} == {10, 20}


def test_energies_are_those_of_pymatgen():
    from pymatgen.analysis.ewald import EwaldSummation

    for structure in (manganite(), ybco(), nasicon()):
        found = order_partial(structure, count=4)
        for one in found.crystals:
            charged = one.structure.copy()
            charged.add_oxidation_state_by_element(dict(found.charges))
            assert one.energy == pytest.approx(EwaldSummation(charged).total_energy / len(charged), rel=1e-4)


def test_the_best_ordering_is_that_of_pymatgens_transformation():
    from pymatgen.transformations.standard_transformations import OrderDisorderedStructureTransformation

    charges = {"La": 3, "Sr": 2, "Mn": 3.5, "O": -2}
    cell = manganite() * [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
    cell.add_oxidation_state_by_element(charges)
    best = OrderDisorderedStructureTransformation(algo=0).apply_transformation(cell)
    ours = order_partial(manganite()).crystals[0]
    theirs = best.get_space_group_info()[1]
    from pymatgen.analysis.ewald import EwaldSummation

    assert EwaldSummation(best).total_energy / len(best) == pytest.approx(ours.energy, rel=1e-4)
    assert theirs == ours.space_group == 225


def test_vacancies_are_placed():
    found = order_partial(ybco())
    assert found.found == 7 and all(c.structure.composition.reduced_formula == "Ba4Y2Cu6O13" for c in found.crystals)
    assert [c.index for c in found.crystals] == [2] * 7  # two superlattices in each direction, none turned by symmetry


def test_shares_that_no_cell_holds_are_said_or_refused():
    near = order_partial(manganite(0.67, 0.33))
    assert near.deviation == pytest.approx(0.67 - 2 / 3) and "SrLa2Mn3O9 in a cell of 15 atoms" in near.notes[0]
    assert "La 0.6667, Sr 0.3333 where the crystal has La 0.67, Sr 0.33" in near.notes[0]
    refused = r"no cell of up to 15 atoms .* nearest is SrLa2Mn3O9 in .* difference is 0.0733; .* tolerance of 0.074"
    with pytest.raises(NucleateError, match=refused):
        order_partial(manganite(0.74, 0.26), max_atoms=15)
    far = order_partial(manganite(0.74, 0.26), max_atoms=20)
    assert far.deviation == pytest.approx(0.01) and "the largest difference is 0.0100" in far.notes[0]
    with pytest.raises(NucleateError, match="the primitive cell has 5 atoms"):
        order_partial(manganite(), max_atoms=4)


def test_equal_charges_are_said():
    found = order_partial(olivine(), count=100)
    assert "charges of what shares a site are equal" in found.notes[0]
    indices = [c.index for c in found.crystals]
    assert indices == sorted(indices)


def test_charges_can_be_given():
    found = order_partial(manganite(), charges=read_charges("La=3, Sr=2,Mn=3.5,O=-2"))
    assert found.crystals[0].energy == pytest.approx(order_partial(manganite()).crystals[0].energy)
    charged = order_partial(manganite(), charges={"La": 3, "Sr": 2, "Mn": 4, "O": -2})
    assert charged.crystals[0].energy is None and "add up to +1 e" in charged.notes[0]
    with pytest.raises(NucleateError, match="no charge is given for Mn, O"):
        order_partial(manganite(), charges={"La": 3, "Sr": 2})
    for text in ("La=x", "La", "Xx=3", "La=nan"):
        with pytest.raises(NucleateError):
            read_charges(text)


def test_atoms_on_each_other_are_left_out():
    """A split site: each atom is on one of two places 0.8 angstrom apart."""
    split = Structure(
        Lattice.tetragonal(4, 4.4), [{"Na": 0.5}, {"Na": 0.5}, "Cl"], [(0, 0, 0.09), (0, 0, -0.09), (0.5, 0.5, 0.5)]
    )
    found = order_partial(split)
    assert found.found == 1 and len(found.crystals[0].structure) == 2 and found.crystals[0].index == 2
    double = order_partial(split, multiples=2)
    assert any("nearer than 1.0 angstrom are left out" in note for note in double.notes)
    for one in double.crystals:
        away = one.structure.distance_matrix
        assert away[np.triu_indices(len(away), 1)].min() > 1


def test_a_whole_crystal_is_refused():
    with pytest.raises(NucleateError, match="every site holds one element"):
        order_partial(Structure(Lattice.cubic(4), ["Na"], [[0, 0, 0]]))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "lsmo.json"
    path.write_text(json.dumps(manganite().as_dict()))
    return path


@pytest.mark.parametrize("ending", [".cif", ".extxyz", ".jsonl", ""])
def test_the_command_writes_ordered_crystals(file, tmp_path, ending):
    cif = tmp_path / "lsmo.cif"
    manganite().to(str(cif))
    for given in (file, cif):
        out = tmp_path / f"{given.suffix[1:]}-out{ending}"
        shown = CliRunner().invoke(app, ["order", str(given), "--out", str(out)], env={"COLUMNS": "200"})
        assert shown.exit_code == 0 and "3 distinct ordered crystals of 14 arrangements" in shown.stdout
        assert "Fm-3m" in shown.stdout and "the lowest is -34.694 eV/atom" in shown.stdout
        read = read_structures([out]).structures
        assert len(read) == 3 and {n.structure.composition.reduced_formula for n in read} == {"SrLaMn2O6"}
        if ending in (".extxyz", ".jsonl"):
            assert [n.info["ordering_index"] for n in read] == [2, 6, 6]
            assert read[0].info["ewald_energy"] == pytest.approx(-34.694, abs=1e-3)
            assert read[0].info["space_group"] == "Fm-3m"


def test_the_command_refuses_what_it_cannot_order(file, tmp_path, capsys):
    def run(*words):
        with pytest.raises(SystemExit) as left:
            main([str(word) for word in words])
        return left.value.code, " ".join(capsys.readouterr().err.split())

    whole = tmp_path / "whole.json"
    whole.write_text(json.dumps(Structure(Lattice.cubic(4), ["Na"], [[0, 0, 0]]).as_dict()))
    assert run("order", whole) == (2, "error: every site holds one element, so there is nothing to order")
    assert "--max-atoms must be at least 1" in run("order", file, "--max-atoms", "0")[1]
    code, said = run("order", file, "--max-atoms", "6")
    assert code == 2 and "allow more atoms, or a tolerance of 0.5" in said
    out = tmp_path / "there.cif"
    out.write_text("")
    assert "exists; use --overwrite" in run("order", file, "--out", out)[1]


def test_in_python_a_structure_or_a_file_becomes_candidates(file):
    import nucleate

    for given in (manganite(), file):
        made = nucleate.order(given, count=2)
        assert [c.provenance["ordering_index"] for c in made] == [2, 6] and made[0].origin.generator == "ordering"
        assert made[0].checks["charge"].verdict == "pass"
    with pytest.raises(NucleateError, match="takes a pymatgen Structure"):
        nucleate.order(3)


def test_an_element_is_not_rounded_away():
    salt = Structure(Lattice.cubic(4), [{"Na": 0.99, "K": 0.01}, "Cl"], [(0, 0, 0), (0.5, 0.5, 0.5)])
    with pytest.raises(NucleateError, match="NaCl, has no K any more; allow larger cells"):
        order_partial(salt)


def test_species_of_one_element_are_one_element(tmp_path):
    magnetite = Structure(Lattice.cubic(4.3), [{"Fe2+": 0.5, "Fe3+": 0.5}, "O2-"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    (one,) = nucleate.order(magnetite)
    assert one.formula == "FeO" and one.provenance["notes"]
    path = tmp_path / "hd.cif"
    angles = ("a", "alpha"), ("b", "beta"), ("c", "gamma")
    cell = "\n".join(f"_cell_length_{x} 4\n_cell_angle_{y} 90" for x, y in angles)
    columns = "label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy"
    head = "loop_\n" + "".join(f"_atom_site_{name}\n" for name in columns)
    sites = "D1 D 0 0 0 0.5\nH1 H 0 0 0 0.5\nCl1 Cl 0.5 0.5 0.5 1\n"
    path.write_text(f"data_x\n{cell}\n_symmetry_space_group_name_H-M 'P 1'\n{head}{sites}")
    (two,) = nucleate.order(path)
    assert two.formula == "HCl"
