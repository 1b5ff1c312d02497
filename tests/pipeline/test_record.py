"""Every field of a candidate record is checked when it is read, and a broken record is a problem of its own."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import sys
from typing import Any, ClassVar

import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.generators import Condition
from nucleate.pipeline.candidate import Candidate, Check, Energy, Failure
from nucleate.pipeline.candidate_files import read_candidates, write_candidates
from nucleate.pipeline.origin import (
    FamilyMember,
    FileEntry,
    LanguageModelUse,
    Origin,
    SetMember,
    Substitution,
    TemplateMatch,
    Wanted,
)
from nucleate.pipeline.rank import rank, to_rows
from nucleate.pipeline.state import (
    FACTS,
    DftCalculation,
    FormulaScore,
    Frequency,
    HullPlace,
    NearestKnown,
    Novelty,
    ObjectiveScore,
    Phonons,
    PredictedProperties,
    Relaxation,
    SecondJudgement,
    StructureVote,
)

SALT = Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
FULL = Candidate(
    "c1",
    seed=7,
    structure=SALT,
    energies={"energy": Energy(-3.4, "m"), "e_form": Energy(-2.0, "m", "r"), "e_above_hull": Energy(0.01, "m", "r")},
    checks={"charge": Check("pass", "Na1+ Cl1-"), "novel": Check("unknown")},
    stages=("generate", "relax"),
    provenance={"random_search": {"space_group": 225}, "text": "Na Cl"},
    wanted=Wanted(Condition({"Na": 1, "Cl": 1}, num_atoms=2), "NaCl", 2),
    origin=Origin(
        "g",
        TemplateMatch("mp-1", "KCl", {"Na": "K"}, distance=1.0),
        FamilyMember("halite", 0, ("Na", "Cl"), (1.0, -1.0), score=0.0),
        LanguageModelUse("url", "model", 40, ("a page",)),
        FileEntry("a.cif", 1, "c0", {"note": 1}),
        SetMember("set", "c", "digest"),
        Substitution("Na for K", -1.5, 0.9, "KCl"),
    ),
    fixed=(1,),
    meets=("a salt",),
    twin_of="c0",
    relaxation=Relaxation("chgnet", 3, 0.5, True, -3.3, 0.04, 0.002, 1.01),
    hull=HullPlace("NaCl", {"anion correction (Cl)": -0.3}),
    novelty=Novelty("new", ("mp-1",), NearestKnown("mp-1", "KCl", "same structure type", "Na for K")),
    second=SecondJudgement(Relaxation("sevennet", 2, converged=True), {"anion correction (Cl)": -0.3}),
    predicted=PredictedProperties("network", {"band_gap": 1.5}, "", {"band_gap": (1.0, 2.0)}, {"band_gap": 0.1}),
    formula_score=FormulaScore(-1.0, {"family": -1.0}),
    objective=ObjectiveScore(1.0),
    frequency=Frequency(2, 5),
    vote=StructureVote("retrieval", 0.4, 0.2, "mp-1", "AB_cF8_225_a_b", "rock salt", 0.01),
    phonons=Phonons("chgnet", lowest_thz=-0.1, q_point=(0.5, 0.0, 0.0), atoms=64),
    dft=DftCalculation("done", steps=3, missing=("Cl2",), lower_bound=True, details={"moment": 0.0}),
    composition={"Na": 1, "Cl": 1},
)
DEEP = "[" * 10_000 + "]" * 10_000
SHAPES: dict[str, Any] = {
    "none": None,
    "list": [1, 2],
    "table": {"a": 1},
    "table of nothing": {"a": None},
    "text": "x",
    "number": 3.5,
    "not a number": math.nan,
    "infinite": -math.inf,
    "absurd": -1e9,
    "huge": 1e300,
    "huge whole": 10**400,
    "true": True,
    "empty": "",
    "empty list": [],
    "empty table": {},
    "no Unicode": "\ud800",
    "hostile": "\u202e[bold]:smile:\x1b[2J\x00",
    "deep": "DEEP",
    "missing": "MISSING",
}
PLACES = [
    *((name,) for name in FULL.to_dict()),
    *(("provenance", name) for name in FULL.provenance),
    *(("wanted", name) for name in FULL.to_dict()["wanted"]),
    *(("wanted", "condition", name) for name in FULL.to_dict()["wanted"]["condition"]),
    *(("origin", name) for name in FULL.to_dict()["origin"]),
    *(("origin", "template", name) for name in FULL.to_dict()["origin"]["template"]),
    *(("origin", "family", name) for name in FULL.to_dict()["origin"]["family"]),
    *((fact, name) for fact in FACTS if fact != "failure" for name in FULL.to_dict()[fact]),
    ("novelty", "nearest", "id"),
    ("novelty", "nearest", "differs"),
    ("energies", "energy"),
    ("energies", "e_above_hull", "value"),
    ("energies", "energy", "method"),
    ("checks", "charge"),
    ("checks", "charge", "verdict"),
    ("composition", "Na"),
    ("structure", "lattice"),
    ("structure", "sites"),
]


def broken(place: tuple[str, ...], shape: Any) -> str:
    values = copy.deepcopy(FULL.to_dict()) | {"id": "broken"}
    inner: Any = values
    for key in place[:-1]:
        inner = inner[key]
    if shape == "MISSING":
        del inner[place[-1]]
    else:
        inner[place[-1]] = shape
    return json.dumps(values).replace('"DEEP"', DEEP)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_a_broken_record_is_a_problem_of_its_own_or_can_be_read(tmp_path, shape):
    good = [FULL.to_json().replace('"c1"', f'"{name}"') for name in ("first", "last")]
    lines = [good[0], *(broken(place, shape) for place in PLACES), good[1]]
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n")
    candidates, problems = read_candidates([tmp_path / "a.jsonl"])
    assert [candidates[0].id, candidates[-1].id] == ["first", "last"]
    assert len(candidates) + len(problems) == len(lines)
    for problem in problems:
        assert problem.row is not None and 1 < problem.row < len(lines)
        assert "\n" not in problem.reason and len(problem.reason) < 300
        assert "Error" not in problem.reason, "the insides of a parser are no reason"
    to_rows(rank(candidates))
    assert write_candidates(tmp_path / "b.jsonl", candidates) == []
    assert [c.to_json() for c in read_candidates([tmp_path / "b.jsonl"])[0]] == [c.to_json() for c in candidates]


@pytest.mark.parametrize(
    ("place", "shape", "reason"),
    [
        (("id",), None, "id must be a text, not None"),
        (("seed",), "7", "seed must be a whole number, not '7'"),
        (("stages",), "relax", "stages must be a list, not 'relax'"),
        (("checks", "charge", "verdict"), "maybe", "checks.charge.verdict must be pass, fail or unknown, not 'maybe'"),
        (("energies", "energy", "value"), math.nan, "energies.energy.value must be a finite number, not nan"),
        (("energies", "energy", "value"), -1e9, "-1e+09 eV/atom is beyond anything real"),
        (("energies", "e_above_hull", "value"), -21, "-21 eV/atom is beyond anything real"),
        (("energies", "energy", "method"), "", "energies.energy.method must be a text that is not empty"),
        (("composition",), {"Xx": 1}, "composition.Xx must be an element ('Xx' is not an element)"),
        (("composition",), {"Na": -1}, "composition.Na must be greater than 0, not -1"),
        (("composition",), {"Na": 0.5}, "composition.Na must be a whole number of atoms, not 0.5"),
        (("composition",), {}, "composition must not be empty"),
        (("predicted", "wanted"), {"a": [1]}, "predicted.wanted.a"),
        (("predicted", "by"), "MISSING", "predicted.by is missing"),
        (("wanted", "condition", "composition"), {"Xx": 1}, "condition.composition.Xx must be an element"),
        (("wanted", "condition"), {"chemical_system": "Na"}, "wanted.condition.chemical_system"),
        (("wanted", "condition"), {"colour": "red"}, "wanted.condition.colour is not known"),
        (("wanted", "rank"), 0, "wanted.rank must be greater than or equal to 1, not 0"),
        (("origin", "family"), {"name": "halite"}, "structure_type is missing"),
        (("origin", "family", "elements"), [1], "elements.0 must be a text"),
        (("origin", "family", "elements"), ["Xx"], "elements.0 must be an element"),
        (("formula_score",), {"value": "x"}, "value must be a number"),
        (("relaxation", "fmax"), math.nan, "relaxation.fmax must be a finite number"),
        (("relaxation", "colour"), "red", "relaxation.colour is not known"),
        (("relaxation",), 3, "relaxation must be a table"),
        (("version",), 99, "a candidate record of version 99, but this nucleate reads versions up to 2"),
        (("provenance", "x"), [[1]] * 3, ""),
        (("failure",), "", "failure must be a table"),
        (("seed",), "MISSING", "seed is missing"),
        (("more",), 1, "more is not known"),
    ],
)
def test_the_message_names_the_fault(place, shape, reason):
    line = broken(place, shape)
    if not reason:
        Candidate.from_dict(json.loads(line))
        return
    with pytest.raises(NucleateError) as caught:
        Candidate.from_dict(json.loads(line))
    assert reason in str(caught.value)


def test_a_record_has_all_fields_that_are_known_and_no_others():
    assert Candidate.from_dict(json.loads(FULL.to_json())) == FULL
    blank = Candidate("a").to_dict()
    assert set(blank) == {"version", "id", "seed", "structure", "energies", "checks", "failure", "stages",
                          "composition", "provenance"}  # fmt: skip
    assert {f.name for f in dataclasses.fields(Candidate)} | {"version"} == set(FULL.to_dict())


def test_large_energies_of_all_electrons_are_allowed():
    values = FULL.to_dict() | {"energies": {"energy": {"value": -36_000.0, "method": "all-electron"}}}
    del values["dft"]
    with pytest.raises(NucleateError, match="beyond anything real"):
        Candidate.from_dict(values)
    values["dft"] = {}
    assert Candidate.from_dict(values).energies["energy"].value == -36_000.0


def test_numbers_of_numpy_and_site_properties_do_not_stop_writing():
    import numpy as np

    structure = SALT.copy(site_properties={"selective_dynamics": np.ones((2, 3), bool), "magmom": [object(), None]})
    made = Candidate("a", structure=structure, provenance={"n": np.int64(3), "x": np.ones(2), "f": np.float32(0.5)})
    again = Candidate.from_dict(json.loads(made.to_json()))
    assert again.provenance == {"n": 3, "x": [1.0, 1.0], "f": 0.5} and again.structure == SALT


@pytest.mark.parametrize("ending", ["jsonl", "extxyz", "db", "folder"])
def test_every_writer_takes_a_structure_with_properties(tmp_path, ending):
    import numpy as np

    structure = SALT.copy(site_properties={"selective_dynamics": np.ones((2, 3), bool), "magmom": [object(), None]})
    made = Candidate("a", structure=structure, predicted=PredictedProperties("n", {"x": np.float32(1)}))
    out = tmp_path / ("out" if ending == "folder" else f"a.{ending}")
    write_candidates(out, [made])
    (again,), problems = read_candidates([out])
    assert not problems and again.formula == "NaCl" and again.structure.site_properties == {}


class Bomb:
    """A harmless class that shows whether it was constructed."""

    built: ClassVar[list[Any]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.built.append((args, kwargs))

    @classmethod
    def from_dict(cls, values: Any) -> Bomb:
        return cls(values)


@pytest.mark.parametrize("where", ["site", "structure", "provenance", "check", "species"])
@pytest.mark.parametrize("ending", ["jsonl", "json", "csv", "db"])
def test_reading_constructs_no_class_that_a_file_names(tmp_path, where, ending, monkeypatch):
    import ase.db
    from ase import Atoms

    monkeypatch.setitem(sys.modules, "bomb_of_a_test", sys.modules[__name__])
    monkeypatch.setattr(Bomb, "built", [])
    bomb = {"@module": "bomb_of_a_test", "@class": "Bomb", "@callable": "Bomb", "arguments": 1}
    values = FULL.to_dict()
    sites = values["structure"]["sites"]
    if where == "site":
        sites[0]["properties"] = {"magmom": bomb}
    elif where == "structure":
        values["structure"]["properties"] = {"x": bomb}
        values["structure"] |= {"@module": "bomb_of_a_test", "@class": "Bomb"}
    elif where == "species":
        sites[0]["species"][0] |= {"properties": {"spin": bomb}, "oxidation_state": 1}
    elif where == "check":
        values["checks"]["charge"]["reason"] = bomb
    else:
        values["provenance"] |= {"x": bomb, **bomb}
    file = tmp_path / f"a.{ending}"
    if ending == "csv":
        text = json.dumps(values["structure"]).replace('"', '""')
        file.write_text(f'name,structure\na,"{text}"\n')
    elif ending == "db":
        with ase.db.connect(str(file)) as db:
            db.write(Atoms("NaCl", cell=[3, 3, 3], pbc=True), data={"candidate": values, "nucleate": {"x": bomb}})
    else:
        file.write_text(json.dumps(values))
    try:
        read_candidates([file])
    except NucleateError:
        assert where == "check", "all the rest can be read"
    assert Bomb.built == []


def test_the_database_of_a_run_gives_full_records(tmp_path):
    from nucleate.store.database import RunStore

    with RunStore(tmp_path) as store:
        store.save_many([FULL, Candidate("blank", failure=Failure("generate", "error", "no"))])
    candidates, problems = read_candidates([tmp_path / "candidates.db"])
    assert not problems and candidates[0].to_json() == FULL.to_json()
    assert str(candidates[1].failure) == "generate: no"


def test_a_mixed_file_is_read_in_order(tmp_path):
    lines = [json.dumps(SALT.as_dict()), FULL.to_json(), DEEP, "{", json.dumps(SALT.as_dict()), "9" * 5000]
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    candidates, problems = read_candidates([tmp_path / "a.jsonl"])
    assert [c.id for c in candidates] == ["a-1", "c1", "a-5"]
    assert [p.row for p in problems] == [3, 4, 6] and "nested too deeply" in problems[0].reason
