"""Golden runs of generators: every shipped model, every kind of condition; generate, compose, predict and Python."""

from __future__ import annotations

from run import Run

CELLS = """py:
from pymatgen.core import Lattice, Structure
places = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
Structure(Lattice.cubic(3.9), ["Sr", "Ti", "O", "O", "O"], places).to(filename="cell.cif")
"""
PYTHON = """py:
import nucleate

made = []
for weights in ("mp20-csp", "mp20-unimat-csp", "compact-csp"):
    generator = nucleate.load_generator(weights, steps=6, device="cpu")
    conditions = [nucleate.Condition(composition={"Mg": 1, "O": 1}), nucleate.Condition(composition={"Ti": 2, "O": 4})]
    made += generator.generate(conditions, [11, 12])
generator = nucleate.load_generator("mp20-sites", steps=6, device="cpu")
made += generator.generate([nucleate.Condition(composition={"Mg": 1, "O": 1}, space_group=225)], [11])
generator = nucleate.load_generator("mp20-dng", steps=6, device="cpu", sampler="ddim", batch_size=1)
made += generator.generate([nucleate.Condition(num_atoms=5), nucleate.Condition(chemical_system=["Na", "Cl"])], [1, 2])
with open("made.jsonl", "w") as file:
    for structure in made:
        file.write(structure.to_json() + "\\n")
formulas = nucleate.load_formula_generator("diffusion-bert-all", device="cpu")
print(formulas.generate([nucleate.Condition(contains=["Li"]), nucleate.Condition(num_elements=3)], [1, 2]))
"""
RELAXED = "predict NaCl --samples 6 --relax --workers 1"
FORMULAS = "py:open('formulas.txt', 'w').write('KCl\\nXx2O\\nClK\\nCaSi2O5\\nLi0.5CoO2\\n')"

GENERATORS = [
    Run(
        "generate-joint-csp",
        (
            "generate SrTiO3 -n 2 -o default.jsonl",
            "generate SrTiO3 -n 2 --weights mp20-csp --steps 10 -o folder",
            "generate 'MgO, 8 atoms, 3 candidates' --steps 10 --sampler ddim -o ddim.extxyz",
            "generate NaCl -n 2 --num-atoms 4 --steps 6 --sampler second-order --seed 7 -o second.db",
        ),
    ),
    Run(
        "generate-joint-dng",
        (
            "generate Li-Fe-O -n 3 --weights mp20-dng --steps 10 -o system.jsonl",
            "generate anything -n 3 --weights mp20-dng --steps 10 --exclude 'Pb,toxic,rare earth' -o exclude.extxyz",
            "generate anything -n 2 --weights mp20-dng --steps 8 --num-atoms 6 --temperature 0.5 -o small.jsonl",
            "generate --elements all -n 2 --weights mp20-dng --steps 8 --sampler ddim --seed 3 -o all.jsonl",
            "generate --elements Na,Cl,O -n 2 --weights mp20-dng --steps 8 --guidance 1 -o elements.jsonl",
        ),
    ),
    Run(
        "generate-joint-cdi",
        (
            "generate anything -p e_form=-2.5 -p band_gap=1..2 -n 2 --weights mp20-cdi --steps 10 -o wanted.jsonl",
            "generate 'Na-Cl, 2 atoms, e_form=-1.9' -n 2 --weights mp20-cdi --steps 10 --guidance 3 -o system.jsonl",
            "generate 'anything, band_gap=4' -n 2 --steps 10 --judge property-mp20 -o auto.jsonl",
            "generate anything -p energy_per_atom=-154.2 -n 2 --weights carbon24-cdi --steps 8 -o carbon.jsonl",
            "generate anything -p e_form=0.5 -n 2 --weights perov5-cdi --steps 8 -o perovskites.jsonl",
        ),
    ),
    Run(
        "generate-joint-cds",
        (
            "generate anything -p e_above_hull=0 -n 2 --weights mp20-cds --steps 10 -o wanted.jsonl",
            "generate Ti-O -n 2 --weights mp20-cds --steps 10 -o system.jsonl",
            "generate anything -n 2 --weights carbon24-cds --steps 8 -o carbon.jsonl",
            "generate anything -p e_form=0.5 -n 2 --weights perov5-cds --steps 8 -o perovskites.jsonl",
        ),
    ),
    Run(
        "generate-unimat",
        (
            "generate Li-Fe-O -n 2 --weights mp20-unimat --steps 8 -o system.jsonl",
            "generate anything -n 2 --weights mp20-unimat --steps 8 -o free.jsonl",
            "generate SrTiO3 -n 2 --weights mp20-unimat-csp --steps 8 -o composition.jsonl",
            "generate anything -n 2 --weights carbon24-unimat --steps 8 -o carbon.jsonl",
            "generate anything -n 2 --weights perov5-unimat --steps 8 --sampler ddim -o perovskites.jsonl",
        ),
    ),
    Run(
        "generate-compact",
        (
            "generate anything -n 2 --weights mp20-compact --steps 8 -o free.jsonl",
            "generate SrTiO3 -n 2 --weights compact-csp --steps 8 -o composition.jsonl",
            "generate anything -n 2 --weights carbon24-compact --steps 8 -o carbon.jsonl",
            "generate anything -n 2 --weights perov5-compact --steps 8 --sampler ddim -o perovskites.jsonl",
        ),
    ),
    Run(
        "generate-sites",
        (
            "generate SrTiO3 -n 2 --space-group 221 --steps 8 -o group.jsonl",
            "generate Sr-Ti-O -n 3 --space-group cubic --steps 8 -o cubic.jsonl",
            "generate 'K-Cu-Si' -n 2 --space-group common:4 --sites K:1,Cu:2,Si:1 --steps 8 -o sites.jsonl",
            "generate TiO2 -n 2 --weights mp20-sites --space-group 62,136 --sampler ancestral --steps 8 -o two.jsonl",
        ),
    ),
    Run(
        "generate-fixed-parts",
        (
            CELLS,
            "generate SrTiO3 -n 1 --fix cell.cif --mask lattice --steps 8 -o lattice.jsonl",
            "generate --fix cell.cif --mask shape,species --steps 8 -n 1 -o shape.jsonl",
            "generate --fix cell.cif --mask coords,O --steps 8 -n 1 --weights mp20-dng -o coords.jsonl",
            "generate --fix cell.cif --mask lattice,1-2 --steps 8 -n 1 --weights mp20-dng -o atoms.jsonl",
            "generate MgO --lattice-shape fcc -n 1 --steps 8 -o fcc.jsonl",
            "generate Mg-O --lattice-shape hexagonal --num-atoms 4 -n 1 --steps 8 -o hexagonal.jsonl",
        ),
    ),
    Run(
        "generate-words",
        (
            "generate 'a cobalt spinel, 2 candidates' --steps 6 -o spinel.jsonl",
            "generate 'an oxide of titanium with 4 to 8 atoms' -n 2 -o oxide.jsonl",
            "generate 'a stable lithium sulfide without iron' -n 2 --steps 6 -o sulfide.jsonl",
        ),
    ),
    Run("generate-python", (PYTHON,)),
    Run(
        "compose",
        (
            "compose -n 6 -o formulas.txt",
            "compose Li-Fe-O -n 4 --weights diffusion-bert -o system.csv",
            "compose -n 3 --weights diffusion-bert --steps 6 --sampler ancestral",
            "compose -n 4 --weights diffusion-lm --steps 8 -o lm.jsonl",
            "compose -n 3 --weights diffusion-lm --steps 8 --sampler ddim",
            "compose 'Li ? O4' -n 4 -o gap.csv",
            "compose 'Ba Ti *' -n 4 --num-elements 4 --exclude 'halogens'",
            "compose -n 4 --contains Li,O --num-atoms 8 --temperature 0.7 --valid -o valid.jsonl",
            "compose -n 3 -p e_above_hull=0 --guidance 3 --seed 5",
        ),
    ),
    Run(
        "predict-templates",
        (
            "predict SrTiO3 K2AgSbCl6 --method template --samples 3 -o emd.jsonl",
            "predict KCl --samples 3 --repeats --volume copy -o repeats.extxyz",
            "predict KCl --samples 2 --rank-by metric -o metric",
            "predict KCl --samples 2 --rank-by random --seed 2",
            "predict SrTiO3 --samples 2 --templates perov-5:val -o perovskites.db",
            FORMULAS,
            "predict MgO --method template --file formulas.txt --top 1 -o file.jsonl",
        ),
    ),
    Run(
        "predict-retrieval",
        (
            "predict SrTiO3 K2AgSbCl6 --samples 3 -o known.jsonl",
            "predict SrTiO3 --hide SrTiO3 --samples 4 -o hidden.jsonl",
            FORMULAS,
            "predict MgO --file formulas.txt --top 1 -o file.jsonl",
            "generate SrTiO3 -n 3 --weights retrieval -o drawn.jsonl",
        ),
    ),
    Run(
        "predict-methods",
        (
            "predict CsSnI3 --method prototype --samples 3 -o prototype.jsonl",
            "predict MgO --method transformer --samples 2 -o transformer.jsonl",
            "predict MgO --weights mp20-csp --samples 1 --method transformer -o weights.jsonl",
            "predict MgO --method unimat --samples 1 -o unimat.jsonl",
            "predict MgO --method compact --samples 1 -o compact.jsonl",
            "predict MgO --method random --samples 2 --workers 1 -o random.jsonl",
            "predict TiO2 --method random --space-group 136 --samples 2 --workers 1 -o group.jsonl",
        ),
    ),
    Run(
        "predict-adaptive",
        (
            "predict MgO --method adaptive --samples 2 -o adaptive.jsonl",
            "predict TiO2 --space-group 136 --samples 2 -o group.jsonl",
            "predict K-Cu-Si --samples 2 -o system.jsonl",
            "predict SrTiO3 --sites Sr:1,Ti:1,O:1 --samples 2 -o sites.jsonl",
        ),
    ),
    Run("predict-relaxed", ("predict NaCl --samples 3 --relax --top 2 --workers 1 -o relaxed.jsonl",)),
    Run(
        "predict-killed",
        (
            "py:kill_when('relaxed.jsonl', 'volume_change', 2)",
            "predict NaCl --samples 6 --relax --workers 1 -o relaxed.jsonl",
        ),
        dies=True,
    ),
    Run("predict-resumed", (f"{RELAXED} -o relaxed.jsonl",), "predict-killed"),
]
