"""Golden runs of the functions of `import nucleate`, and of the commands for crystals that were made elsewhere."""

from __future__ import annotations

from run import Run

CELLS = """py:
from pymatgen.core import Lattice, Structure
half = [[0, 0, 0], [0.5, 0.5, 0.5]]
perovskite = [[0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0]]
Structure.from_spacegroup("Pm-3m", Lattice.cubic(3.85), ["Ca", "Ti", "O"], perovskite).to(filename="perovskite.cif")
Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], half).to(filename="salt.cif")
Structure.from_spacegroup("Fm-3m", Lattice.cubic(3.0), ["Mg", "O"], half).to(filename="squeezed.cif")
mixed = Structure.from_spacegroup("Pm-3m", Lattice.cubic(4.1), [{"Cs": 0.5, "K": 0.5}, "Br"], half)
mixed.to(filename="mixed.cif")
"""
SHOW = """py:
import nucleate, pandas
pandas.set_option("display.width", 400, "display.max_columns", 60, "display.max_colwidth", 60)
def show(candidates):
    print(candidates)
    print(candidates.to_frame().drop(columns="seconds", errors="ignore").T.to_string())
"""
JUDGED = """py:
show(nucleate.check(["NaCl2", "Fe3O4", "salt.cif"]))
relaxed = nucleate.relax(["salt.cif", "perovskite.cif", "squeezed.cif"], steps=6)
show(relaxed)
relaxed.write("relaxed.jsonl")
for height in nucleate.e_above_hull(relaxed):
    print(height, height.e_form, height.method, height.reference)
print(nucleate.e_above_hull("salt.cif", relaxed=True))
print([e.composition.reduced_formula for e in relaxed.to_entries()], relaxed.to_ase()[0].get_potential_energy())
show(nucleate.Candidates(nucleate.rank(relaxed)))
result = nucleate.screen(["salt.cif", "perovskite.cif"], "run", relax_steps=4, second="none")
print(result)
print(result.to_frame().T.to_string())
"""
MADE = """py:
show(nucleate.generate("MgO", n=2, seed=3, steps=6, weights="mp20-csp"))
show(nucleate.predict("K2AgSbCl6", samples=2))
show(nucleate.predict(["SrTiO3", "MgO"], method="prototype", samples=1))
swapped = nucleate.substitute("perovskite.cif", {"Ca": ["Sr", "Ba"], "Ti": "Zr"})
show(swapped)
swapped.write("swapped.jsonl")
print(nucleate.design("NaCl, 2 atoms", n=1, out="run", oversample=1, steps=6, relax_steps=4, second="none"))
print(nucleate.load_run("run").to_frame().T.to_string())
print(nucleate.read_structures("salt.cif").structures[0].name)
"""
SCREEN = "screen salt.cif perovskite.cif squeezed.cif --relax-steps 8 --second none --workers 1 --out run"

PYTHON = [
    Run("plugins", ("plugins",)),
    Run(
        "substitute",
        (
            CELLS,
            "substitute perovskite.cif --swap Ca=Sr,Ba --swap Ti=Zr -o swapped.jsonl",
            "substitute perovskite.cif -s Ca=Sr:0.5 --volume copy -o half",
            "substitute perovskite.cif -s O=vacancy:0.16667 --top 2",
            "substitute salt.cif -s Cl=Br,I --sites orbits -o salts.extxyz",
            "substitute mixed.cif -o ordered.jsonl",
        ),
    ),
    Run(
        "order",
        (
            CELLS,
            "order mixed.cif -o ordered.jsonl",
            "order mixed.cif --multiples 2 --count 5 -o ordered.cif",
            "order mixed.cif --max-atoms 1",
            "order salt.cif",
        ),
    ),
    Run(
        "screen",
        (CELLS, SCREEN, "show run", "show run --all", f"{SCREEN} --overwrite --best 1 --reference sevennet-mp "
         "--potential sevennet", "screen --resume run", "rank run/candidates.jsonl -o ranked.csv"),
    ),
    Run("screen-killed", (CELLS, "py:kill_when('run/candidates.db', 'volume_change', 1)", SCREEN), dies=True),
    Run("screen-resumed", ("screen --resume run --workers 1",), "screen-killed"),
    Run(
        "design-config",
        (
            "design 'NaCl, 2 atoms' -n 1 --oversample 1 --relax-steps 4 --second none --show-config",
            "py:open('run.toml', 'w').write('[request]\\ntext = \"NaCl, 2 atoms\"\\n[sampling]\\nsteps = 6\\n')",
            "design --config run.toml --show-config",
            "design --config run.toml -n 1 --oversample 1 --relax-steps 4 --second none --workers 1 -o run",
        ),
    ),
    Run(
        "other-configs",
        (
            CELLS,
            "generate 'Li-Fe-O, 2 candidates' --weights mp20-dng --steps 4 --show-config",
            "compose 'Li ? O4' -n 3 --temperature 0.7 --show-config",
            "predict K-Cu-Si NaCl --space-group Pnma --sites K:1,Cu:2,Si:1 --top 2 --show-config",
            "screen salt.cif perovskite.cif --fmax 0.1 --second none --show-config",
            "optimise mp20-cds -p e_form -n 20 --maximise --show-config",
            "py:open('run.toml', 'w').write('formulas = [\"NaCl\"]\\ntop = 1\\nmethod = \"random\"\\nsamples = 2\\n')",
            "predict --config run.toml --seed 3 --workers 1 -o predicted.extxyz",
        ),
    ),
    Run("python-judging", (CELLS, SHOW, JUDGED)),
    Run("python-making", (CELLS, SHOW, MADE)),
]  # fmt: skip
