"""What a language model's formulas are worth, with and without retrieval (paper 4, Table 4).

    python benchmarks/language_model.py --llm http://localhost:8080/v1 [--llm-model NAME] [--n 25] [--no-wikipedia]

n formulas of each family of the paper's Table 1, asked for once, without complaints. Good: on the lists, with charges
that balance, each once, of those that were answered; unknown: of the good ones, what the Materials Project lacks. With
retrieval the model is told known members and charges, and reads what the install, and Wikipedia where there is a
network, say of the family. For comparison, by chance: elements drawn from the same lists without a model.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from words import FAMILIES

from nucleate.evaluate.statistics import rate
from nucleate.search.chat import Chat, read_json
from nucleate.search.families import lexicon
from nucleate.search.known import is_known
from nucleate.search.language import LanguageStage
from nucleate.search.request import parse_request
from nucleate.search.retrieve import Library, Wikipedia

HEAD = "| family | formulas by | answered | good % | unknown % | seconds |\n|---|---|---|---|---|---|"


def row(family: str, by: str, stage: LanguageStage, answers: object, seconds: float) -> str:
    good, faults = stage.judged(answers)
    distinct = {frozenset(stage.family.composition(e).items()) for e in good}
    total = len(good) + len(faults)
    new = sum(not is_known(dict(f)) for f in distinct)
    cells = [family, by, str(total), rate(len(distinct), total).percent if total else ""]
    cells += [rate(new, len(distinct)).percent if distinct else "", f"{seconds:.0f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llm", required=True)
    parser.add_argument("--llm-model", default="")
    parser.add_argument("--n", type=int, default=25)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--no-wikipedia", action="store_true")
    args = parser.parse_args()
    print(HEAD)
    for family in args.families.split(","):
        wikipedia = None if args.no_wikipedia else Wikipedia()
        request = parse_request(f"a new {family}")
        for library in (Library(request.text, family, wikipedia), None):
            stage = LanguageStage(
                Chat(args.llm, args.llm_model, timeout=900.0), request, lexicon()[family], library=library
            )
            began = time.perf_counter()
            text = stage.ask(stage.messages(args.n), args.n, 0).text
            by = f"the model, {'with' if library else 'without'} retrieval"
            print(row(family, by, stage, read_json(text), time.perf_counter() - began), flush=True)
        rng = np.random.default_rng(0)
        letters = [letter for letter, _ in stage.family.sites]
        lists = [stage.choices[int(rng.integers(len(stage.choices)))].elements for _ in range(args.n)]
        drawn = [{a: str(rng.choice(s)) for a, s in zip(letters, sites, strict=True)} for sites in lists]
        print(row(family, "chance", stage, {"formulas": drawn}, 0), flush=True)


if __name__ == "__main__":
    main()
