"""Golden runs of design and of what works on its candidates: relaxation, hull, ranking, phonons, DFT, optimisation."""

from __future__ import annotations

from pathlib import Path

from run import Run

TESTS = Path(__file__).resolve().parents[2] / "tests"
QUICK = "--steps 10 --relax-steps 8 --workers 1"
FLAT = f"design 'MgO, 2 candidates' --oversample 4 {QUICK} --second none -o run"
TREE = "a perovskite that is not known, 2 candidates"
SEARCH = "--formulas 6 --width 3 --structures-each 2 --relax-steps 4 --second none --workers 1 -o run"
FEW = "--relax-steps 8 --workers 1 --second none"
FORMULAS = f"design 'Li-Fe-O' -n 2 --generator diffusion-bert-all --oversample 3 {FEW} -o run"
SITES = ("A", "B", "M", "X")
CHOSEN = [("Cs", "Na", "Y", "Cl"), ("K", "Na", "Al", "F"), ("Cs", "Ag", "Bi", "Br")]
ANSWER = f"""py:
import json
answer_with(json.dumps({{"formulas": [dict(zip({SITES}, chosen)) for chosen in {CHOSEN}]}}))
"""
CELLS = """py:
from pymatgen.core import Lattice, Structure
half = [[0, 0, 0], [0.5, 0.5, 0.5]]
for name, a, pair in (("salt", 5.5, ["Na", "Cl"]), ("magnesia", 4.3, ["Mg", "O"]), ("lime", 4.9, ["Ca", "O"])):
    cell = Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), pair, half)
    cell.translate_sites([0], [0.02, 0.01, 0])
    cell.to(filename=f"{name}.cif")
Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.6), ["Cu"], [[0, 0, 0]]).to(filename="copper.cif")
Structure.from_spacegroup("Im-3m", Lattice.cubic(2.87), ["Cu"], [[0, 0, 0]]).to(filename="strange.cif")
"""
EMT = "--potential ase:ase.calculators.emt:EMT"
HELPERS = f"""py:
import importlib.util, os, sys
from pathlib import Path
def module(name, folder=""):
    file = next(f for f in Path({str(TESTS)!r}).rglob(name + ".py") if folder in str(f.parent))
    sys.path.insert(0, str(file.parent))
    spec = importlib.util.spec_from_file_location(name, file)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found
"""
PROGRAM = f"""{HELPERS}
open("gpaw.py", "w").write(module("conftest", "dft").GPAW)
"""
OUTPUTS = f"""{HELPERS}
vasp = module("vasp_outputs")
qe = module("test_parse")
for name, text in (
    ("MgO/vasprun.xml", vasp.vasprun(vasp.rocksalt(4.25), [-11.5, -11.9])),
    ("Mg/vasprun.xml", vasp.vasprun(vasp.MG, [-3.2])),
    ("O/vasprun.xml", vasp.vasprun(vasp.O2, [-9.8])),
    ("cut/vasprun.xml", vasp.vasprun(vasp.rocksalt(4.3), [-11.5, -11.9])[:-900]),
    ("qe/pw.out", qe.pw_out(vasp.rocksalt(4.25), [-80.0, -80.1])),
    ("outcar/OUTCAR", vasp.outcar(vasp.rocksalt(4.25), [-11.9])),
):
    os.makedirs(os.path.dirname(name), exist_ok=True)
    open(name, "w").write(text)
"""
OPTIMISE = "optimise mp20-cdi -p e_form --steps 8 --relax 3 --candidates 6 --workers 1 --out run"
BUILD = "hull build --out known.parquet --elements Na,Cl --max-atoms 8"

DESIGN = [
    Run("design-flat", (f"design 'NaCl, 2 atoms' -n 2 --oversample 2 {QUICK} --phonons 1 -o run", "show run --all")),
    Run(
        "design-conditions",
        (
            f"design 'Na-Cl, 2 atoms, e_form=-1.9, band_gap=4..6' -n 2 --oversample 1 {QUICK} --second none -o wanted",
            f"design Sr-Ti-O --space-group 221 -n 1 --oversample 2 {QUICK} --second none -o group",
            f"design MgO --lattice-shape fcc --num-atoms 2 -n 1 --oversample 2 {QUICK} --second none "
            "--known perov-5:val --objective e_above_hull=1,symmetry=0.5 -o shape",
            f"design anything --exclude 'Pb,toxic' -n 1 --oversample 2 {QUICK} --second none -o free",
        ),
    ),
    Run("design-two-processes", (FLAT.replace("--workers 1", "--workers 2"),)),
    Run("design-killed", ("py:kill_when('run/candidates.db', 'volume_change', 2)", FLAT), dies=True),
    Run("design-resumed", ("show run --all", "design --resume run --workers 1"), "design-killed"),
    Run(
        "design-formulas-first",
        (
            FORMULAS,
            "design --contains Ti,O --num-elements 3 -n 1 --generator diffusion-bert --structures mp20-csp "
            f"--steps 10 --oversample 2 {FEW} -o sampled",
            f"design --generator diffusion-lm -n 1 --structures template --rank-by random --oversample 3 {FEW} -o lm",
        ),
    ),
    Run("design-formulas-first-killed", ("py:kill_when('run/candidates.db', 'volume_change', 2)", FORMULAS), dies=True),
    Run("design-formulas-first-resumed", ("design --resume run --workers 1",), "design-formulas-first-killed"),
    Run(
        "design-families",
        (
            f"design 'a cobalt spinel' -n 2 --oversample 1 {QUICK} --second none -o spinel",
            f"design 'an oxide of ratio 1:1:3 without lead' -n 2 --oversample 1 {QUICK} --second none -o ratio",
            f"design 'K2AgSbCl6, elpasolite type' -n 1 --oversample 2 {QUICK} --second none -o type",
            "design 'a new halide perovskite' --structures mp20-csp -n 1 --oversample 2 "
            f"{QUICK} --second none -o sampled",
        ),
    ),
    Run(
        "design-language-model",
        (
            ANSWER,
            f"design 'an elpasolite, 2 candidates' --llm $LLM --llm-model tiny --llm-price 10,5 --no-retrieval "
            f"--oversample 1 {QUICK} --second none -o run",
        ),
    ),
    *(
        Run(f"design-tree-{name}", (f"design '{TREE}' --search {name} {SEARCH}", "show run"))
        for name in ("best-first", "breadth-first", "beam")
    ),
    Run("design-tree-budget", (f"design '{TREE}' --search beam --evaluations 3 {SEARCH}",)),
    Run("design-tree-resumed", ("design --resume run --evaluations 0 --workers 1",), "design-tree-budget"),
    Run(
        "design-tree-killed",
        ("py:kill_when('run/candidates.db', 'volume_change', 2)", f"design '{TREE}' --search best-first {SEARCH}"),
        dies=True,
    ),
    Run("design-tree-killed-resumed", ("design --resume run --workers 1",), "design-tree-killed"),
    Run(
        "design-tree-of-samples",
        (f"design 'Mg-O' -n 1 --generator diffusion-bert-all --search breadth-first {SEARCH}",),
    ),
    Run(
        "relax",
        (
            CELLS,
            "relax salt.cif magnesia.cif lime.cif --workers 1 -o relaxed.jsonl",
            "relax salt.cif --fixed-cell --optimiser fire --steps 5 --workers 1 -o fixed.extxyz",
            "relax salt.cif --as-given --fmax 0.2 --workers 2 -o folder",
            "relax salt.cif --potential sevennet --steps 3 --workers 1 -o sevennet.jsonl",
            f"relax copper.cif strange.cif {EMT} --workers 1 -o emt.db",
            "check relaxed.jsonl -o checked.jsonl",
            "show relaxed.jsonl salt.cif",
        ),
    ),
    Run(
        "relax-killed",
        (
            CELLS,
            "py:kill_when('relaxed.jsonl', 'volume_change', 1)",
            "relax salt.cif magnesia.cif lime.cif --workers 1 --fmax 0.01 -o relaxed.jsonl",
        ),
        dies=True,
    ),
    Run(
        "relax-resumed",
        ("relax salt.cif magnesia.cif lime.cif --workers 1 --fmax 0.01 -o relaxed.jsonl",),
        "relax-killed",
    ),
    Run(
        "hull-and-rank",
        (
            "hull run relaxed.jsonl -o placed.jsonl",
            "rank placed.jsonl -o ranked.csv",
            "rank placed.jsonl checked.jsonl --known perov-5:val --top 2 -o ranked.extxyz",
            "hull show Mg-O --candidates placed.jsonl -o phases.csv",
            "hull show Ca-Mg-O -o ternary.svg",
            "hull run sevennet.jsonl --reference sevennet-mp",
            "phonons relaxed.jsonl --max-atoms 30 --workers 1 -o phonons.jsonl",
        ),
        "relax",
    ),
    Run(
        "rank-a-run",
        (
            "rank run/candidates.jsonl -o ranked.jsonl",
            "check run/cif",
            "show run/candidates.extxyz",
            "show run",
            "relax run/candidates.jsonl --steps 2 --workers 1 -o again.jsonl",
            "hull show Na-Cl --candidates run -o phases.json",
            "hull run again.jsonl --reference run,chgnet-mp -o placed.jsonl",
            "design --resume run --workers 1",
        ),
        "design-flat",
    ),
    Run("phonons", (CELLS, f"phonons copper.cif strange.cif {EMT} --workers 1 -o emt.jsonl", "show emt.jsonl")),
    Run("hull-build", (BUILD, "hull show Na-Cl --reference known.parquet -o phases.json")),
    Run("hull-build-killed", ("py:kill_when('known', 'mp-', 2)", BUILD), dies=True),
    Run("hull-build-resumed", (BUILD,), "hull-build-killed"),
    Run("optimise", (OPTIMISE, "show run/candidates.jsonl")),
    Run("optimise-killed", ("py:kill_when('run/candidates.db', 'volume_change', 2)", OPTIMISE), dies=True),
    Run("optimise-resumed", (OPTIMISE,), "optimise-killed"),
    Run(
        "dft-inputs",
        (
            CELLS,
            "dft inputs salt.cif magnesia.cif --out vasp",
            "py:import os; os.mkdir('upf'); [open(f'upf/{e}.pbe.UPF', 'w').close() for e in ('Na', 'Cl', 'Mg', 'O')]",
            "dft inputs salt.cif --code qe --preset fast --pseudos upf --out qe",
            "dft inputs salt.cif --code qe --preset tight --no-elements --out bare",
        ),
    ),
    Run("dft-program", (CELLS, PROGRAM), once=True),
    Run(
        "dft-run",
        (
            "py:import os; os.environ['PYTHONPATH'] = os.getcwd() + os.pathsep + os.environ['PYTHONPATH']",
            "dft run copper.cif --preset fast --known '' --out out --cache cache",
            "dft run copper.cif strange.cif --preset fast --known '' --out out --cache cache",
        ),
        "dft-program",
    ),
    Run("dft-inputs-of-a-run", ("dft inputs run --top 1 --out vasp",), "design-flat"),
    Run("dft-outputs", (OUTPUTS,), once=True),
    Run("dft-parse", ("dft parse . -o table.csv", "dft parse MgO Mg O -o records.jsonl"), "dft-outputs"),
]
