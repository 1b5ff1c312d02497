"""The messages of `nucleate generate` on its crystals."""

from pathlib import Path

from pymatgen.core import Lattice, Structure

from nucleate.cli.generate import _show
from nucleate.pipeline.candidate import Candidate
from nucleate.request.parse import parse_request

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
URANIA = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.47), ["U", "O"], [[0, 0, 0], [0.25, 0.25, 0.25]])


def test_a_table_of_what_was_generated(capsys):
    made = [
        Candidate("a", structure=SALT),
        Candidate("b", structure=URANIA),
        Candidate("c").failed("generate", "error", "no Cl in it"),
    ]
    _show(made, parse_request("anything, 3 candidates"), Path("out"))
    text = capsys.readouterr().out
    for words in ("NaCl", "UO2 *", "Fm-3m", "2.82", "2.16", "pass Na+ Cl- (icsd24)",
                  "the charge check passes in 2 of 3",
                  "no two atoms come too close in 2 of 3", "1 rejected: generate: no Cl in it",
                  "* holds a radioactive element: U", "--elements all offers them",
                  "3 crystals in out, as generated", "next: nucleate relax out"):  # fmt: skip
        assert words in text, words
    _show(made[:1], parse_request("NaCl"), Path("out"))
    assert "radioactive" not in capsys.readouterr().out
