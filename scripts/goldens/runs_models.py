"""Golden runs of training and of evaluation."""

from __future__ import annotations

from run import Run

TRAIN = """[train]
steps = 4
batch_size = 8
warmup = 1
precision = "float32"
log_every = 1
checkpoint_every = 2
"""
PEROVSKITES = '[data]\ndataset = "small.parquet"\nmax_atoms = 5\n'
SLICES = """py:
import os, pyarrow.parquet as pq
table = pq.read_table(os.environ["NUCLEATE_DATA"] + "/perov_5_val.parquet")
pq.write_table(table.slice(0, 40), "small.parquet")
pq.write_table(table.slice(16, 40), "known.parquet")
pq.write_table(table.slice(8, 24), "reference.parquet")
"""
HEADS = "[network]\ndim = 16\nheads = 2\n"
WORDS = HEADS + "layers = 1\n"
SMALL = WORDS + "frequencies = 2\n"
PAIRS = SMALL + "pair_dim = 8\n"
PARAMETERS = 'lattice = "parameters"\n'
ANY = "anything -n 2 --steps 4"
CELLS = "SrTiO3 -n 2 --steps 4"
RECIPES = {  # name: what its recipe says beside TRAIN, and what is drawn from the weights
    "joint-csp": ('task = "csp"\n' + PEROVSKITES + PAIRS + 'conditioning = "adaln"\nnorm = "pre"\n', CELLS),
    "joint-cdi": (
        'task = "dng"\n' + PEROVSKITES + '[diffusion]\nspecies = "absorbing"\n' + PAIRS
        + 'conditioning = "cdi"\ncondition_on = ["chemical_system", "heat_ref"]\ncomposition = true\ndistance = true\n'
        + "self_conditioning = true\n",
        f"{ANY} -p heat_ref=1",
    ),
    "joint-cds": (
        'task = "dng"\n' + PEROVSKITES + '[codec]\nlattice = "matrix"\n[diffusion]\nspecies = "uniform"\n' + PAIRS
        + 'conditioning = "cds"\nnorm = "post"\n',
        ANY,
    ),
    "joint-fused": ('task = "csp"\n' + PEROVSKITES + PAIRS + 'attention = "fused"\n', CELLS),
    "unimat-sparse": (
        'task = "dng"\n' + PEROVSKITES + f'[codec]\nkind = "unimat"\nslots = 5\n{PARAMETERS}'
        + SMALL + 'kind = "sparse"\nseen = 12\ncondition_on = ["chemical_system"]\n',
        "Sr-Ti-O -n 2 --steps 4",
    ),
    "unimat-dense": (
        'task = "dng"\n' + PEROVSKITES + f'[codec]\nkind = "unimat"\nslots = 5\n{PARAMETERS}'
        + HEADS + 'kind = "dense"\nwidths = [8, 8]\n',
        ANY,
    ),
    "unimat-csp": (
        'task = "csp"\n' + PEROVSKITES + f'[codec]\nkind = "unimat"\nslots = 5\n{PARAMETERS}' + SMALL,
        CELLS,
    ),
    "compact-dng": (
        'task = "dng"\n' + PEROVSKITES + f'[codec]\nkind = "compact"\nspecies_scale = "pettifor"\n{PARAMETERS}'
        + "random_origin = true\n" + SMALL + "widths = [16, 16]\ndistance = true\n",
        ANY,
    ),
    "compact-csp": (
        'task = "csp"\n' + PEROVSKITES + f'[codec]\nkind = "compact"\n{PARAMETERS}' + SMALL + "widths = [16, 16]\n",
        CELLS,
    ),
    "bins-csp": ('system = "bins"\n' + PEROVSKITES + 'frame = "canonical"\n' + WORDS, CELLS),
    "bins-dng": ('system = "bins"\ntask = "dng"\n' + PEROVSKITES + 'frame = "canonical"\n' + WORDS, ANY),
    "sites": (
        'task = "csp"\n' + PEROVSKITES + '[codec]\nkind = "sites"\n[network]\ndim = 16\nlayers = 1\nedges = 8\n'
        + '[sample]\nsampler = "langevin"\nsteps = 4\ncorrector_steps = 0\n',
        "SrTiO3 -n 1 --space-group 1",
    ),
    "property": (
        'task = "property"\n' + PEROVSKITES + WORDS + 'pair_dim = 8\npredict = ["heat_ref", "dir_gap"]\n',
        "anything -n 2 --steps 4 --weights perov5-cdi -p heat_ref=1 --judge run/weights.safetensors",
    ),
    "formula-bert": (
        'task = "formula"\n[data]\ndataset = "perov-5:val"\nmax_atoms = 5\n[codec]\nvocabulary = "all"\n' + WORDS
        + 'condition_on = ["balanced"]\n[sample]\nsampler = "one-by-one"\nsteps = 5\n',
        "",
    ),
    "formula-lm": (
        'task = "formula"\n[data]\ndataset = "small.parquet"\nmax_atoms = 5\n[codec]\norder = "sorted"\n'
        + '[diffusion]\nwords = "embedding"\nembedding_dim = 8\n' + WORDS + "self_conditioning = true\n",
        "",
    ),
}  # fmt: skip


def training(name: str, recipe: str, drawn: str) -> list[Run]:
    """A training that is stopped in the middle, and one that goes on from there and is sampled."""
    text = f'name = "{name}"\n{recipe}{TRAIN}'
    weights = "" if "--weights" in drawn else "--weights run/weights.safetensors"
    sample = f"generate {drawn} {weights} -o made.jsonl" if drawn else f"compose -n 3 --steps 4 {weights}"
    begun = (
        SLICES,
        f"py:open('recipe.toml', 'w').write({text!r})",
        "train recipe.toml --out run --device cpu --until 2",
    )
    return [
        Run(f"train-{name}", begun),
        Run(f"train-{name}-resumed", ("train recipe.toml --out run --device cpu", sample), f"train-{name}"),
    ]


SEASON = f'name = "tiny"\n{RECIPES["unimat-sparse"][0]}{TRAIN}'
QUEUE = """
[[run]]
recipe = "recipe.toml"
judge = "crystals"
validation = "perov-5:val"
n = 4
every = 2
"""
MINE = """py:
import numpy as np, nucleate
from pymatgen.core import Lattice, Structure
rng = np.random.default_rng(0)
cells = [Structure(Lattice(np.diag(4 + rng.random(3))), ["Na", "Cl"], rng.random((2, 3))) for _ in range(20)]
with open("mine.extxyz", "w") as file:
    for i, c in enumerate(cells):
        lattice = " ".join(map(repr, c.lattice.matrix.ravel().tolist()))
        file.write(f'2\\nLattice="{lattice}" Properties=species:S:1:pos:R:3 name=m{i} hardness={i / 2}\\n')
        for site in c:
            file.write(f"{site.specie.symbol} {' '.join(map(repr, site.coords.tolist()))}\\n")
"""
MADE = """py:
import nucleate
made = nucleate.read_structures(["known.parquet"]).structures[:24]
for i, one in enumerate(made):
    one.structure.translate_sites([0], [max(0, i - 12) / 100, 0, 0])
    one.info["height"] = 0.05 * i
nucleate.write_structures("made.extxyz", made)
open("formulas.txt", "w").write("NaCl\\nnonsense!\\nMgO\\nK2O\\nSrTiO3\\nFe3O4\\n")
open("train.txt", "w").write("NaCl\\nMgO\\nCaO\\n")
open("test.txt", "w").write("K2O\\nSrO\\nBaTiO3\\n")
"""
CSP = "--dataset perov-5:val --samples 2 --steps 5 --workers 1"
CSP_IN_STEPS = "--dataset perov-5:val --n 6 --samples 2 --steps 30 --batch-size 1 --workers 1 --out run"
KNOWN = "--reference reference.parquet --known reference.parquet"
RELAXING = f"{KNOWN} --no-energies --relax 4 --workers 1 --out run"

MODELS = [
    *(run for name, (recipe, drawn) in RECIPES.items() for run in training(name, recipe, drawn)),
    Run(
        "season",
        (
            SLICES,
            f"py:open('recipe.toml', 'w').write({SEASON!r})",
            f"py:open('queue.toml', 'w').write({QUEUE!r})",
            "season queue.toml --out runs --device cpu",
        ),
    ),
    Run(
        "train-from-weights",
        (
            MINE,
            "data add mine mine.extxyz",
            "train --out run --from mp20-dng --property hardness --dataset mine --steps 2 --rank 2 --device cpu",
            "generate anything -p hardness=3 -n 1 --steps 4 --weights run/weights.safetensors -o made.jsonl",
        ),
    ),
    Run(
        "data",
        (
            MINE,
            "data add mine mine.extxyz --fractions 0.5,0.25,0.25 --seed 3",
            "data list",
            "data prepare mine --out mine.safetensors --properties hardness",
            "data prepare mine:val --out val.safetensors --max-atoms 4",
            SLICES,
            "data prepare small.parquet --out perovskites.safetensors --properties heat_ref",
        ),
    ),
    Run(
        "evaluate-csp",
        (
            f"evaluate csp --n 4 {CSP} --out csp",
            "evaluate csp --predictions csp/predictions.jsonl --dataset perov-5:val --protocol cdvae-2022 "
            "--composition-rule icsd24 --workers 1",
            f"evaluate csp --weights mp20-unimat-csp --n 2 {CSP} --out unimat --no-across",
            f"evaluate csp --weights compact-csp --n 2 {CSP} --out compact",
            f"evaluate csp --weights mp20-sites --n 2 {CSP} --out sites",
        ),
    ),
    Run(
        "evaluate-csp-killed",
        ("py:kill_when('run/predictions.jsonl', 'sample', 4)", f"evaluate csp {CSP_IN_STEPS}"),
        dies=True,
    ),
    Run("evaluate-csp-resumed", (f"evaluate csp {CSP_IN_STEPS}",), "evaluate-csp-killed"),
    Run(
        "evaluate-dng",
        (
            SLICES,
            MADE,
            f"evaluate dng made.extxyz {KNOWN} --no-energies --workers 1 --out plain",
            f"evaluate dng made.extxyz {KNOWN} --potential property-perov5 --protocol cdvae-2022 "
            "--protocol mattergen-2025 --floor none --workers 1 --out network",
            f"evaluate dng made.extxyz {KNOWN} --e-above-hull height --energies --no-cache --protocol lemat-2025 "
            "--protocol crystalite-2026 --workers 2 --out energies",
        ),
        limit=600,
    ),
    Run(
        "evaluate-dng-killed",
        (
            SLICES,
            MADE,
            "py:kill_when('run/relaxed/candidates.db', 'volume_change', 2)",
            f"evaluate dng made.extxyz {RELAXING}",
        ),
        dies=True,
    ),
    Run("evaluate-dng-resumed", (f"evaluate dng made.extxyz {RELAXING}",), "evaluate-dng-killed"),
    Run(
        "evaluate-others",
        (
            SLICES,
            MADE,
            "evaluate compositions formulas.txt --train train.txt --test test.txt --out compositions",
            "evaluate compositions formulas.txt --train perov-5:val --test none --no-oxidation-states "
            "--paper-vocabulary",
            "evaluate compare known.parquet reference.parquet --e-form heat_ref --out compare",
            "evaluate optimisation made.extxyz --dataset perov-5 --value heat_ref --workers 1 --out optimisation",
            "evaluate optimisation made.extxyz --dataset perov-5:val --column dir_gap --value dir_gap --maximise "
            "--workers 1",
        ),
    ),
]
