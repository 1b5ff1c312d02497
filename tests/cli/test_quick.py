"""Mistakes in a command are reported before anything heavy is imported."""

import json
import subprocess
import sys

WRONG = [
    ["predict", "Xx2O"],
    ["predict", "NaCl", "--method", "magic"],
    ["predict", "NaCl", "--templates", "nosuch"],
    ["predict", "NaCl", "--rank-by", "magic"],
    ["predict", "NaCl", "--volume", "magic"],
    ["predict", "RaO", "--relax"],
    ["predict", "NaCl", "--relax", "--potential", "magic"],
    ["predict", "NaCl", "--relax", "--reference", "nosuch"],
    ["predict", "NaCl", "--method", "transformer", "--weights", "nosuch"],
    ["generate", "Xx2O"],
    ["generate", "SrTiO3", "--weights", "nosuch"],
    ["generate", "anything", "--sampler", "magic"],
    ["generate", "anything", "-p", "magic=1"],
    ["generate", "anything", "-p", "gap=1", "--weights", "mp20-csp"],
    ["generate", "anything", "--fix", "nosuch.cif"],
    ["design", "SrTiO3", "--potential", "magic"],
    ["design", "SrTiO3", "--reference", "nosuch"],
    ["design", "SrTiO3", "--weights", "nosuch"],
    ["design", "anything", "--exclude", "Xx"],
    ["design", "RaO"],
    ["design", "Po-O"],
    ["design", "an oxide", "--contains", "Rn"],
    ["design", "SrTiO3", "-p", "magic=1"],
    ["design", "SrTiO3", "--search", "magic"],
    ["design", "SrTiO3", "--templates", "nosuch"],
    ["design", "SrTiO3", "--objective", "magic=1"],
    ["design", "--resume", "nosuch"],
    ["compose", "--weights", "nosuch"],
    ["check", "Xx2O"],
    ["relax", "nosuch.cif", "--out", "r.jsonl"],
    ["rank", "nosuch.jsonl"],
    ["rank", "nosuch.jsonl", "--known", "nosuch"],
    ["hull", "run", "nosuch.jsonl"],
    ["show", "nosuch.cif"],
    ["phonons", "nosuch.cif", "--out", "p.jsonl"],
    ["train", "nosuch.toml", "--out", "t"],
    ["evaluate", "csp", "--weights", "nosuch"],
    ["evaluate", "dng", "nosuch.jsonl"],
    ["optimise", "nosuch"],
    ["optimise", "mp20-cds", "-p", "magic"],
]
CODE = """
import json, sys
from nucleate.cli.main import main
found = []
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as error:
        loaded = [m for m in ("torch", "pymatgen.core", "ase.io", "scipy.sparse") if m in sys.modules]
        found.append([words, error.code, loaded])
print(json.dumps(found))
"""


def test_wrong_input_is_refused_without_heavy_imports(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(WRONG)], capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == len(WRONG) and done.stderr.count("error: ") == len(WRONG), done.stderr
    assert [entry for entry in found if entry[1] != 2 or entry[2]] == []
    assert list(tmp_path.iterdir()) == []
