"""Train a recipe on a machine that has only torch, numpy, safetensors and pydantic, and no packages of chemistry:

python -m nucleate.train RECIPE --data FILE --out DIR
"""

from __future__ import annotations

import argparse
import sys

import torch

from nucleate.errors import NucleateError
from nucleate.systems import load_recipe, system_of
from nucleate.train.loop import SAVE_EVERY, Trainer
from nucleate.train.pace import TrainingLines
from nucleate.train.stopping import Stopped


def main() -> int:
    """Train or resume, and print each line of metrics. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m nucleate.train", description=__doc__)
    parser.add_argument("recipe", help="TOML file")
    parser.add_argument("--data", required=True, help="prepared crystals or formulas, from `nucleate data prepare`")
    parser.add_argument("--out", required=True, help="folder of the run; an unfinished run in it is resumed")
    parser.add_argument("--until", type=int, help="stop after this step, to resume later")
    parser.add_argument("--device", help="cpu, cuda, cuda:1 ...; default: the first GPU if there is one, else the CPU")
    parser.add_argument("--threads", type=int, help="number of CPU threads")
    parser.add_argument(
        "--save-every", type=float, default=SAVE_EVERY / 60, help="minutes between two checkpoints (default: 5)"
    )
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    try:
        recipe = load_recipe(args.recipe)
        data = system_of(recipe).data.load(args.data)
        trainer = Trainer(recipe, data, args.out, args.device, args.save_every * 60)
        trainer.run(
            on_log=lambda line: print(line, flush=True),
            until=args.until,
            on_standing=TrainingLines(recipe.name, lambda text: print(text, file=sys.stderr, flush=True)),
        )
    except NucleateError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except Stopped as stop:
        print(f"{stop}; everything is saved in {args.out}, and the same command continues from there", file=sys.stderr)
        return stop.exit_code
    except KeyboardInterrupt:
        print(f"interrupted; the same command continues from the last checkpoint in {args.out}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
