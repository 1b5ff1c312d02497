"""The training season of this repository: the recipes of season/queue.toml, then the networks with scripts of their own
(`SCRIPTS`), each from the commit it was begun with.

    make season                                   # or: nice -n 19 python scripts/season.py
    python scripts/season.py [--only NAME,...] [--device cuda] [--threads 1]
    python scripts/season.py --collect            # copies the log into season/log.csv and draws docs/season.png

Every run is trained by a clone of this repository beside the checkpoints, at the commit that was checked out when the
run began, so that changes in this checkout do not affect it, and a run that is stopped goes on with the same code.
Checkpoints, best weights and clones lie in the folder that the variable NUCLEATE_SEASON names; default: "season" in the
user's cache. The same call goes on after any interruption. What is trained must be committed: recipes are read from the
clone.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from nucleate.data.catalog import user_cache
from nucleate.errors import NucleateError
from nucleate.files import replacing
from nucleate.tasks.season import FAILED, LOG, RUNNING, RunState, read_queue, write_log

ROOT = Path(__file__).parent.parent
QUEUE = ROOT / "season" / "queue.toml"
# Networks that a script trains; it goes on where it stopped, and ends at once where it is done: name -> script, recipe
SCRIPTS = {"site-chooser": ("scripts/train_chooser.py", "recipes/networks/site-chooser.toml")}
PIN = "commit.txt"  # in the folder of a run: the commit that it is trained with


def main() -> int:
    """Train what the queue holds, or collect what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="names of runs, with commas between them; default: all")
    parser.add_argument("--device", help="as of nucleate season")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--collect", action="store_true", help="copy the log into season/log.csv, draw docs/season.png")
    args = parser.parse_args()
    folder = Path(os.environ.get("NUCLEATE_SEASON") or user_cache() / "season")
    try:
        names = [run.name for run in read_queue(QUEUE).run]
        if args.collect:
            collect(folder, names)
            return 0
        chosen = [name for name in (*names, *SCRIPTS) if not args.only or name in args.only.split(",")]
        return max((train(folder, name, args.device, args.threads) for name in chosen), default=0)
    except NucleateError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def train(folder: Path, name: str, device: str | None, threads: int) -> int:
    """Train one run in a process of its own, from the clone of its commit; gives its exit code."""
    if name not in SCRIPTS and RunState.read(folder / name).status not in (RUNNING, FAILED):
        return 0
    code = clone(folder, pinned(folder / name))
    environment = os.environ | {"PYTHONPATH": str(code / "src"), "OMP_NUM_THREADS": str(threads)}
    if name in SCRIPTS:  # on the CPU
        call = [sys.executable, *(str(code / part) for part in SCRIPTS[name]), "--out", str(folder / name)]
    else:
        call = [sys.executable, "-m", "nucleate", "season", str(code / "season" / "queue.toml"), "--only", name]
        call += ["--out", str(folder), "--threads", str(threads), *(["--device", device] if device else [])]
    done = subprocess.run(call, env=environment, cwd=code, check=False)
    if done.returncode in (130, 143):  # somebody stopped it, and everything that would follow
        sys.exit(done.returncode)
    return done.returncode


def pinned(run: Path) -> str:
    """The commit of a run: what was checked out when it began."""
    pin = run / PIN
    if not pin.exists():
        commit = git(ROOT, "rev-parse", "HEAD")
        with replacing(pin) as temporary:
            temporary.write_text(commit + "\n")
    return pin.read_text().strip()


def clone(folder: Path, commit: str) -> Path:
    """A clone of this repository at a commit, made once."""
    place = folder / "code" / commit[:12]
    if not place.exists():
        with replacing(place) as temporary:
            git(ROOT, "clone", "--quiet", "--no-checkout", str(ROOT), str(temporary))
            git(temporary, "checkout", "--quiet", commit)
    return place


def git(where: Path, *arguments: str) -> str:
    """What git prints; raises NucleateError with its own words."""
    done = subprocess.run(["git", "-C", str(where), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NucleateError(f"git {arguments[0]}: {' '.join(done.stderr.split())}")
    return done.stdout.strip()


def collect(folder: Path, names: list[str]) -> None:
    """Copy the log of the season into the repository, and draw scores and losses against core-hours."""
    log = write_log(folder, names)
    shutil.copyfile(log, QUEUE.parent / LOG)
    draw(QUEUE.parent / LOG, ROOT / "docs" / "season.png")
    print(f"season/{LOG} and docs/season.png are up to date")


def draw(log: Path, picture: Path) -> None:
    """A panel for each run: its score (left axis) and its held-out loss (right axis) against core-hours."""
    import matplotlib
    import pandas

    matplotlib.use("Agg")
    from matplotlib import pyplot

    table = pandas.read_csv(log)
    runs = list(dict.fromkeys(table["run"]))
    if not runs:
        raise NucleateError(f"{log} holds no validation yet")
    rows = (len(runs) + 1) // 2
    figure, panels = pyplot.subplots(rows, 2, figsize=(10, 2.7 * rows), squeeze=False)
    for panel, name in zip(panels.flat, runs, strict=False):
        part = table[table["run"] == name]
        panel.plot(part["core_hours"], part["score"], "o-", color="#0072b2", ms=3, label="score")
        panel.set(title=name, xlabel="core-hours", ylabel="score")
        other = panel.twinx()
        other.plot(part["core_hours"], part["held_out_loss"], "-", color="#e69f00", label="held-out loss")
        other.set_ylabel("held-out loss")
    for panel in list(panels.flat)[len(runs) :]:
        panel.axis("off")
    figure.tight_layout()
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    sys.exit(main())
