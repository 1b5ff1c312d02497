"""Train the network of oxidation states, measure it, and pack weights and model card into the package.

    OMP_NUM_THREADS=1 python scripts/train_oxidation.py recipes/networks/oxidation-icsd.toml [--data FOLDER] [--measure]

FOLDER (default: $NUCLEATE_DATA) holds NAME_train, NAME_validation and NAME_test.parquet, NAME being `data` of the
recipe, with columns elements, oxidation_states, counts; and NAME_CN_test.parquet, the charge-neutral formulas of the
test set. --measure takes the weights that are there and writes the card anew.
"""

from __future__ import annotations

import argparse
import math
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from nucleate.chem.composition import Formula
from nucleate.chem.formula import parse_strict
from nucleate.chem.verdict import PASS
from nucleate.errors import NucleateError
from nucleate.evaluate.formulas import key_text, read_formulas
from nucleate.evaluate.measures.statistics import wilson
from nucleate.evaluate.measures.validity import compositional_validity
from nucleate.stages.oxidation import oxidation_verdicts
from nucleate.train.oxidation import (
    LabelledFormula,
    OxidationModel,
    accuracy,
    labelled,
    load_oxidation,
    load_oxidation_recipe,
    save_oxidation,
    train_oxidation,
)
from nucleate.train.shipped import weights_folder

BERTOS_ATOMS = 98  # it cuts what is longer (max_length 100, of which two tokens are no atoms)
CARD = """# {name}

| | |
|---|---|
| task | oxidation states of the elements of a formula, from the formula alone |
| data | formulas of ICSD crystals with states of all atoms, collected and split for BERTOS: {formulas:,} to train on |
| left out | {left_out:,} formulas whose states add up to more than {max_charge} per atom: entries that lack atoms |
| its licence | GPL-3 (repository usccolumbia/BERTOS). Used to train and to test; none of it is in the package |
| recipe | `recipes/networks/{name}.toml` |
| code | see `git log` of this file |
| parameters | {parameters:,} (float16 on disk: {size:.1f} MB) |
| training | {steps:,} steps, batch {batch}, {seconds:,.0f} CPU seconds on one CPU core |
| kept | the averaged weights after step {kept_step:,}, best on the validation formulas |
| elements | {elements} |
| states | {low:+d} to {high:+d} |

One token for each element with its number of atoms in the reduced formula; no order of elements. After every layer each
element is told the state that it would need for the formula to be neutral. It need not take it: 28 % of the formulas
are not neutral by their labels (defects, partly occupied sites). An element in mixed valence (2 % of them) is answered
with two states, in the proportion that is neutral if there is one. Elements by themselves were left out altogether.

## Measured

`python scripts/train_oxidation.py recipes/networks/{name}.toml --measure`; in brackets 95 % intervals (Wilson):

{measured}
## Intended use and limits

A check of generated formulas beside charge neutrality and electronegativity: the OS rows of `nucleate evaluate
compositions`. The states are those of the ICSD, errors included. There were no alloys among the training data: the
network gives them ions, so the verdict on them is unknown. Mixed valence is often missed. Being told what would be
neutral, the network finds neutral states for many formulas that no one has reported (third row above): to pass is no
proof that a compound exists.
"""

EXPLAINED = """\
Elements: all atoms in the right states, in the right shares; main states: the state of most of its atoms. Atoms: as
BERTOS counts them, all those in the cell of the source, most of them O and H (interval as if a formula were one trial).
It cuts longer cells than 98 atoms. Published for it: 96.82 % of the atoms, and 97.61 % on oxides, which is the number
that Dong et al. quote as its accuracy; the abstract does not say whether with formulas that are not neutral. The test
set shares formulas with the training set, and there the label of the training set is right for {look_up}:
so far the labels agree with themselves.
"""


def read_labelled(path: Path) -> tuple[list[LabelledFormula], list[int]]:
    """Labelled formulas of more than one element, and the multiple of the reduced formula that each is in the file."""
    if not path.is_file():
        raise NucleateError(f"no file {path}")
    data, multiples = [], []
    for row in pq.read_table(path, columns=["elements", "oxidation_states", "counts"]).to_pylist():
        if len(set(row["elements"])) > 1:
            data.append(labelled(row["elements"], row["oxidation_states"], row["counts"]))
            multiples.append(sum(row["counts"]) // sum(data[-1].composition.values()))
    return data, multiples


def share(hits: float, total: float, effective: float | None = None) -> str:
    """A percentage with Wilson's interval; `effective`: the number of independent trials, if not `total`."""
    n = round(effective if effective is not None else total)
    low, high = wilson(round(hits / total * n), n)
    return f"{100 * hits / total:.2f} ({100 * low:.2f}-{100 * high:.2f})"


def key(d: LabelledFormula) -> frozenset[tuple[str, int]]:
    return frozenset(d.composition.items())


def accuracies(model: OxidationModel, folder: Path) -> str:
    """The table of accuracies on the test sets."""
    name = model.recipe.data
    seen = {key(d) for d in read_labelled(folder / f"{name}_train.parquet")[0]}
    rows = ["| test formulas | n | elements, % | main states, % | atoms, % | formulas, % | called neutral, % |"]
    rows.append("|---|---|---|---|---|---|---|")
    kinds: tuple[tuple[str, Callable[[LabelledFormula, int], bool]], ...] = (
        ("all", lambda d, m: True),
        ("reduced formula not in the training set", lambda d, m: key(d) not in seen),
        (f"up to {BERTOS_ATOMS} atoms in the cell", lambda d, m: m * sum(d.composition.values()) <= BERTOS_ATOMS),
        ("oxides", lambda d, m: "O" in d.composition),
        ("not neutral by their labels", lambda d, m: abs(d.charge) > 1e-6),
    )
    for file, title in ((f"{name}_test", "ICSD"), (f"{name}_CN_test", "ICSD, charge neutral")):
        data, multiples = read_labelled(folder / f"{file}.parquet")
        for what, keep in kinds:
            if chosen := [i for i, d in enumerate(data) if keep(d, multiples[i])]:
                s = accuracy(model, [data[i] for i in chosen], [multiples[i] for i in chosen])
                cells = [share(*s.element), share(*s.main), share(*s.atom, s.formula[1]), share(*s.formula)]
                rows.append(f"| {title}: {what} | {len(chosen):,} | {' | '.join([*cells, share(*s.neutral)])} |")
    return "\n".join(rows) + "\n"


def look_up(folder: Path, name: str) -> str:
    """How often the label of the same formula in the training set is that of the test set."""
    known: dict[frozenset, Counter] = {}
    for d in read_labelled(folder / f"{name}_train.parquet")[0]:
        states = frozenset((s, frozenset(own.items())) for s, own in d.shares.items())
        known.setdefault(key(d), Counter())[states] += 1
    same = total = formulas = 0
    for d in read_labelled(folder / f"{name}_test.parquet")[0]:
        if key(d) in known:
            found = dict(known[key(d)].most_common(1)[0][0])
            same += sum(found[s] == frozenset(own.items()) for s, own in d.shares.items())
            total += len(d.shares)
            formulas += 1
    return f"{share(same, total)} % of the elements of the {formulas:,} formulas"


def alloy(text: str) -> bool:
    from pymatgen.core import Element

    counts = parse_strict(text)
    return len(counts) > 1 and all(Element(s).is_metal for s in counts)


def neutral_shares(folder: Path, name: str) -> str:
    """How many formulas of other sources the shipped network calls neutral."""
    sources: list[tuple[str, list[str]]] = []
    for file, title in (("mp_20_test", "MP-20 test"), ("baselines/diffcsp_mp_20", "DiffCSP's 10,000 crystals")):
        sources.append((title, list(read_formulas(folder / f"{file}.parquet").texts)))
    neutral = read_labelled(folder / f"{name}_CN_test.parquet")[0]
    parts = (folder / f"{name}_{part}.parquet" for part in ("train", "validation", "test"))
    known = {key(d) for part in parts for d in read_labelled(part)[0]}
    rng = random.Random(0)
    changed = []
    for d in neutral:
        for _ in range(20):
            counts = dict(d.composition)
            symbol = rng.choice(list(counts))
            counts[symbol] = max(1, counts[symbol] + rng.choice((-1, 1)))
            divisor = math.gcd(*counts.values())
            if frozenset((s, n // divisor) for s, n in counts.items()) not in known:
                changed.append(key_text(tuple(counts.items())))
                break
    sources.append(("ICSD, charge neutral, one atom more or less", changed))
    sources.append(("the alloys of MP-20 test", [t for t in sources[0][1] if alloy(t)]))
    rows = ["| formulas | n | elements alone | states add up to zero, % | for comparison: smact14, % | unknown |"]
    rows.append("|---|---|---|---|---|---|")
    for title, texts in sources:
        verdicts = Counter(v.verdict for v in oxidation_verdicts(texts))
        alone = sum(len(Formula.of(parse_strict(t))) == 1 for t in texts)
        smact = sum(compositional_validity(t, "smact14") is True for t in texts)
        cells = f"{share(verdicts[PASS], len(texts))} | {share(smact, len(texts))} | {verdicts['unknown']}"
        rows.append(f"| {title} | {len(texts):,} | {alone} | {cells} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Train, pack, measure, write the card."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("NUCLEATE_DATA"))
    parser.add_argument("--measure", action="store_true", help="do not train")
    args = parser.parse_args()
    if args.data is None:
        parser.error("give --data or set NUCLEATE_DATA")
    folder = Path(args.data)
    recipe = load_oxidation_recipe(args.recipe)
    path = weights_folder() / f"{recipe.name}.safetensors"
    if not args.measure:
        data, validation = (read_labelled(folder / f"{recipe.data}_{s}.parquet")[0] for s in ("train", "validation"))
        save_oxidation(path, train_oxidation(recipe, data, validation, on_log=lambda line: print(line, flush=True)))
    model = load_oxidation(path)
    measured = "\n".join(
        (
            accuracies(model, folder),
            EXPLAINED.format(look_up=look_up(folder, recipe.data)),
            neutral_shares(folder, recipe.data),
        )
    )
    card = CARD.format(
        name=recipe.name,
        parameters=sum(p.numel() for p in model.network.parameters()),
        size=path.stat().st_size / 1e6,
        batch=recipe.train.batch_size,
        max_charge=recipe.max_charge,
        elements=f"{len(model.elements)}, seen in training",
        low=model.states[0],
        high=model.states[-1],
        measured=measured,
        **model.training,
    )
    path.with_suffix(".md").write_text(card)
    print(card)


if __name__ == "__main__":
    main()
