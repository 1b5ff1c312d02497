import json

import pyarrow as pa
import pytest
from pymatgen.core import Lattice, Structure

from nucleate.errors import NucleateError
from nucleate.evaluate import csp
from nucleate.pipeline.events import Watch

NACL = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
KBR = Structure(Lattice.cubic(4.2), ["K", "Br"], [[0, 0, 0], [0.5] * 3])
SI = Structure(Lattice.cubic(3), ["Si"], [[0, 0, 0]])
TARGETS = [("nacl", NACL), ("kbr", KBR), ("si", SI)]


class Toy:
    """Gives back a cubic cell and remembers what it was asked; it never saw potassium."""

    name = "toy"

    def __init__(self):
        self.asked = []

    def generate(self, conditions, seeds, progress=None):
        if any("K" in c.composition for c in conditions):
            raise NucleateError("toy never saw K in training")
        self.asked += [(dict(c.composition), s) for c, s in zip(conditions, seeds, strict=True)]
        species = [[e for e, n in c.composition.items() for _ in range(n)] for c in conditions]
        return [Structure(Lattice.cubic(4), z, [[i / len(z)] * 3 for i in range(len(z))]) for z in species]


@pytest.fixture
def table(monkeypatch):
    rows = [
        {
            "material_id": f"m{i}",
            "atomic_numbers": [11, 17],
            "frac_coords": [0, 0, 0, 0.5, 0.5, 0.5],
            "lengths": [4.0 + i, 4, 4],
            "angles": [90.0, 90, 90],
        }
        for i in range(20)
    ]
    monkeypatch.setattr("nucleate.data.tables.require_dataset", lambda name: None)
    monkeypatch.setattr("nucleate.data.load_table", lambda name: pa.Table.from_pylist(rows))
    return rows


def test_targets_are_a_stable_subset(table):
    table.append({**table[0], "material_id": "bare", "frac_coords": None})
    ten = csp.load_targets("mp-20:test", 10, seed=4)
    assert [n for n, _ in ten[:5]] == [n for n, _ in csp.load_targets("mp-20:test", 5, seed=4)]
    assert [n for n, _ in ten] != [n for n, _ in csp.load_targets("mp-20:test", 10, seed=5)]
    name, structure = ten[0]
    assert structure.lattice.a == pytest.approx(4 + int(name[1:]))
    assert len(csp.load_targets("mp-20:test")) == 20
    with pytest.raises(NucleateError, match="20 crystals, fewer than the 21"):
        csp.load_targets("mp-20:test", 21)
    with pytest.raises(NucleateError, match="at least 1"):
        csp.load_targets("mp-20:test", -3)


def test_predictions_resume_without_repeating_and_refusals_are_kept(tmp_path):
    path = tmp_path / "predictions.jsonl"
    first = Toy()
    csp.predict_missing(first, TARGETS[:2], 1, 0, path)
    assert [c for c, _ in first.asked] == [{"Na": 1, "Cl": 1}]
    with path.open("a") as file:
        file.write('{"material_id": "si", "sam')  # a kill in the middle of a line
    again, calls = Toy(), []
    watch = Watch(lambda e: calls.append((e.what, e.done, e.total)))
    csp.predict_missing(again, TARGETS, 2, 0, path, chunk=1, watch=watch)
    assert sorted((sum(c.values()), s) for c, s in again.asked) == sorted(
        [
            (1, csp.prediction_seed(0, "si", 0)),
            (1, csp.prediction_seed(0, "si", 1)),
            (2, csp.prediction_seed(0, "nacl", 1)),
        ]
    )
    assert calls[0] == ("predict", 2, 6)
    assert calls[-1] == ("predict", 6, 6)
    found = csp.read_predictions(path)
    assert {name: sorted(s) for name, s in found.items()} == {"nacl": [0, 1], "kbr": [0, 1], "si": [0, 1]}
    assert found["kbr"] == {0: None, 1: None}
    assert "never saw K" in path.read_text()
    assert found["nacl"][0].composition == NACL.composition


def test_a_seed_belongs_to_the_prediction_alone():
    seeds = {csp.prediction_seed(s, m, k) for s in (0, 1) for m in ("a", "b") for k in (0, 1)}
    assert len(seeds) == 8
    assert all(0 <= s < 2**63 for s in seeds)


def test_the_digest_tells_weights_of_one_name_apart(tmp_path):
    path = tmp_path / "a.safetensors"
    digests = []
    for content in (b"1", b"2"):
        path.write_bytes(content)
        digests.append(csp.weights_digest(str(path)))
    assert digests[0] != digests[1]
    assert csp.weights_digest("none") == ""


def test_all_three_spellings_of_a_structure_are_read(tmp_path):
    path = tmp_path / "theirs.jsonl"
    arrays = {"lattice": [[4, 0, 0], [0, 4, 0], [0, 0, 4]], "frac_coords": [[0, 0, 0]], "atomic_numbers": [14]}
    lines = [
        {"material_id": "a", "cif": NACL.to(fmt="cif")},
        {"material_id": "a", "structure": NACL.as_dict()},
        {"material_id": "b", "sample": 3, **arrays},
    ]
    path.write_text("\n".join(map(json.dumps, lines)) + "\n\n")
    found = csp.read_predictions(path)
    assert sorted(found["a"]) == [0, 1]
    assert found["a"][0].composition == NACL.composition
    assert found["b"][3].composition.reduced_formula == "Si"


@pytest.mark.parametrize(
    "line", ["not json", "[]", '{"sample": 0}', '{"material_id": "a"}', '{"material_id": "a", "cif": "data_x"}']
)
def test_a_bad_line_is_named(tmp_path, line):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"material_id": "z", "reason": "none"}\n' + line + "\n")
    with pytest.raises(NucleateError, match="line 2"):
        csp.read_predictions(path)


def test_a_prediction_given_twice_and_a_missing_file(tmp_path):
    path = tmp_path / "twice.jsonl"
    path.write_text('{"material_id": "z", "sample": 0, "reason": ""}\n' * 2)
    with pytest.raises(NucleateError, match="second prediction for z"):
        csp.read_predictions(path)
    with pytest.raises(NucleateError, match="cannot read"):
        csp.read_predictions(tmp_path / "none.jsonl")


def test_a_folder_of_other_settings_is_refused(tmp_path):
    csp.open_folder(tmp_path / "run", {"weights": "a", "seed": 0})
    csp.open_folder(tmp_path / "run", {"weights": "a", "seed": 0})
    with pytest.raises(NucleateError, match="holds predictions with weights 'a', not 'b'"):
        csp.open_folder(tmp_path / "run", {"weights": "b", "seed": 0})
    (tmp_path / "file").write_text("")
    with pytest.raises(NucleateError, match="cannot use the folder"):
        csp.open_folder(tmp_path / "file", {})


def test_predictions_for_other_targets_are_refused():
    with pytest.raises(NucleateError, match="none of the predictions"):
        csp.judge_predictions(TARGETS, {"elsewhere": {0: NACL}})


def test_command_judges_a_file_of_predictions(tmp_path, table):
    from typer.testing import CliRunner

    from nucleate.cli.evaluate import app

    path = tmp_path / "theirs.jsonl"
    names = [(n, s) for n, s in csp.load_targets("mp-20:test")]
    path.write_text("".join(csp.prediction_line(n, 0, 0, s) + "\n" for n, s in names[:15]))
    result = CliRunner().invoke(
        app, ["csp", "--predictions", str(path), "--out", str(tmp_path / "out"), "--workers", "1"]
    )
    assert result.exit_code == 0, result.output
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["n"] == 20
    metrics = {m["name"]: m for s in report["sections"] for m in s["metrics"]}
    assert (metrics["unfiltered_@1"]["value"], metrics["unfiltered_@1"]["n"]) == (0.75, 20)
    assert metrics["missed: no prediction"]["value"] == 5


def test_command_predicts_once_and_judges(tmp_path, table, monkeypatch):
    from typer.testing import CliRunner

    import nucleate.generators
    from nucleate.cli.evaluate import app

    toy = Toy()
    monkeypatch.setattr(nucleate.generators, "load_generator", lambda weights, **_: toy)
    command = ["csp", "--n", "3", "--samples", "2", "--workers", "1", "--out", str(tmp_path / "run")]
    for _ in range(2):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    assert len(toy.asked) == 6  # the second run found all of them
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert (report["n"], report["settings"]["samples"]) == (3, 2)
    assert report["settings"]["model"] == "toy"
    other = CliRunner().invoke(app, [*command, "--seed", "1"])
    assert isinstance(other.exception, NucleateError)
    zero = CliRunner().invoke(app, ["csp", "--n", "0", "--out", str(tmp_path / "none")])
    assert "at least 1" in str(zero.exception)
    assert not (tmp_path / "none").exists()


def test_the_page_shows_every_score(tmp_path):
    from nucleate.evaluate.csp_report import evaluate_csp
    from nucleate.report.evaluation_page import write_page

    salt = Structure(Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5] * 3])
    report = evaluate_csp([("a", salt, [salt]), ("b", salt, [None])], workers=0, protocol="polymorph-2026")
    assert report["unfiltered_@1"].value == 0.5 and report["METRe_@1"].value == 1
    text = write_page(tmp_path / "x.html", report).read_text()
    assert "METRe one-to-one" in text and "no prediction" in text and "polymorph-2026" in text


def test_a_method_that_takes_from_known_crystals_does_not_know_the_targets(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from nucleate.cli.evaluate import app
    from nucleate.generators import registry
    from nucleate.generators.defaults import BaseGenerator
    from nucleate.library import load_library

    class Copies(BaseGenerator):
        name, uses_library, library = "copies", True, None

        def with_library(self, library):
            made = Copies()
            made.library = library
            return made

        def draw(self, conditions, seeds, progress=None):
            assert self.library is not None
            return [self.library.of_formula(c.composition)[0].structure for c in conditions]

    salt = load_library()["mp-22862"]
    row = {"material_id": "salt", "atomic_numbers": list(salt.structure.atomic_numbers)}
    row |= {"frac_coords": salt.structure.frac_coords.ravel().tolist()}
    row |= {"lengths": list(salt.structure.lattice.abc), "angles": list(salt.structure.lattice.angles)}
    monkeypatch.setattr("nucleate.data.tables.require_dataset", lambda name: None)
    monkeypatch.setattr("nucleate.data.load_table", lambda name, split=None: pa.Table.from_pylist([row]))
    monkeypatch.setattr(registry, "get_generator", lambda name, **_: Copies())
    monkeypatch.setattr("nucleate.search.names.require_names", lambda **_: None)
    command = ["csp", "--n", "1", "--samples", "1", "--workers", "1", "--dataset", "own.parquet"]
    for extra, match in (([], 0), (["--hide", "mp-149"], 1)):
        folder = tmp_path / str(match)
        result = CliRunner().invoke(app, [*command, *extra, "--out", str(folder)])
        assert result.exit_code == 0, result.exception
        report = json.loads((folder / "report.json").read_text())
        assert report["settings"]["hidden"].startswith("1 ids" if extra else "own.parquet")
        metrics = {m["name"]: m["value"] for s in report["sections"] for m in s["metrics"]}
        assert metrics["unfiltered_@1"] == match
