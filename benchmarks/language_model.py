"""The quality of formulas by a language model, with and without retrieval.

The comparison is Table 4 of GenMS (Yang et al. 2024, arXiv 2409.06762).

    python benchmarks/language_model.py --llm http://localhost:8080/v1 [--llm-model NAME] [--n 12] [--no-wikipedia]

n new formulas of each family of the paper's Table 1 are asked for, as `nucleate design --llm` does. Found: how many of
these n the model gives. Good: those of its formulas that are on the lists, have charges that balance, are not known,
and were not given before. With retrieval
the model gets known members and charges, and texts on the family from the installation and, where there is a network,
from Wikipedia. For comparison by chance, elements are drawn from the same lists without a
model, n times.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from words import FAMILIES

from nucleate.evaluate.measures.statistics import rate
from nucleate.families.family import lexicon
from nucleate.language.chat import Chat
from nucleate.language.retrieve import PassageSource, Wikipedia
from nucleate.language.stage import LanguageStage
from nucleate.request.parse import parse_request

HEAD = "| family | formulas by | found | good, of answered % | questions | seconds |\n|---|---|---|---|---|---|"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llm", required=True)
    parser.add_argument("--llm-model", default="")
    parser.add_argument("--n", type=int, default=12)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--no-wikipedia", action="store_true")
    args = parser.parse_args()
    print(HEAD)
    for family in args.families.split(","):
        wikipedia = None if args.no_wikipedia else Wikipedia()
        request = parse_request(f"a new {family}")
        for texts in (PassageSource(request.text, family, wikipedia), None):
            chat = Chat(args.llm, args.llm_model, timeout=900.0)
            stage = LanguageStage(chat, request, lexicon()[family], texts=texts)
            began = time.perf_counter()
            found, answered, _ = stage.formulas(args.n)
            cells = [family, f"the model, {'with' if texts else 'without'} retrieval", f"{len(found)} of {args.n}"]
            cells += [rate(len(found), answered).percent, str(len(stage.transcript))]
            print(f"| {' | '.join(cells)} | {time.perf_counter() - began:.0f} |", flush=True)
        good = chance(stage, args.n)
        print(f"| {family} | chance | {good} of {args.n} | {rate(good, args.n).percent} | | |", flush=True)


def chance(stage: LanguageStage, n: int) -> int:
    """How many of n formulas drawn from the lists are good."""
    rng = np.random.default_rng(0)
    letters = [letter for letter, _ in stage.family.sites]
    lists = [stage.choices[int(rng.integers(len(stage.choices)))].elements for _ in range(n)]
    drawn = [{a: str(rng.choice(s)) for a, s in zip(letters, sites, strict=True)} for sites in lists]
    good = [elements for one in drawn for elements in stage.check_answer({"formulas": [one]})[0]]
    return len({frozenset(stage.family.composition(e).items()) for e in good})


if __name__ == "__main__":
    main()
