"""Golden runs: small runs of every command and generator, recorded once and compared after the code was rebuilt.

python scripts/golden.py record FOLDER    run everything with the code at hand and keep all results
python scripts/golden.py compare FOLDER   run everything again and compare; exits with 1 where something differs
python scripts/golden.py list             the names of the runs, and their steps

NUCLEATE_DATA must name a folder with the public datasets, and nucleate-papers must be installed. --source points at the
code of another checkout. Record and compare on the same kind of machine: processors round differently, which shows in
the last digits.
"""

from __future__ import annotations

import argparse
import contextlib
import fnmatch
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent
sys.path.insert(0, str(SCRIPTS / "goldens"))

from compare import Difference, differences  # noqa: E402
from every_run import RUNS, Run  # noqa: E402

KILLED = -9


def environment(source: Path, home: Path) -> dict[str, str]:
    """The environment variables of a run: one thread, no colours, a fixed width of tables, own folders for data and
    caches."""
    data = home / "data"
    data.mkdir(parents=True)
    for file in Path(os.environ["NUCLEATE_DATA"]).iterdir():
        if file.is_file():
            (data / file.name).symlink_to(file.resolve())
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("NUCLEATE_", "XDG_", "PYTHON"))}
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}
    return kept | threads | {
        "PYTHONPATH": str(source),
        "PYTHONDONTWRITEBYTECODE": "1",
        "NUCLEATE_DATA": str(data),
        "XDG_CACHE_HOME": str(home / "cache"),
        "MPLCONFIGDIR": str(Path(tempfile.gettempdir()) / "golden-matplotlib"),
        "COLUMNS": "160",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }  # fmt: skip


def execute(run: Run, source: Path, start: Path | None, out: Path) -> float:
    """Do the steps of a run in the folder out/work, with printed texts in out/NN.out and .err; returns the seconds
    taken.

    start: a folder whose copy the run begins with. A step that is killed, also by the time limit, is recorded as such,
    and the following steps are done.
    """
    home = out / "home"
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    work = out / "work"
    shutil.copytree(start, work) if start else work.mkdir()
    (out / "steps.json").write_text(json.dumps(run.steps))
    places = {str(work): "<work>", str(home): "<home>", str(source): "<source>", sys.prefix: "<python>"}
    (out / "places.json").write_text(json.dumps(places))
    began, done = time.monotonic(), 0
    variables = environment(source, home)
    while done < len(run.steps):
        command = [sys.executable, str(SCRIPTS / "goldens" / "drive.py"), str(out / "steps.json"), str(out), str(done)]
        process = subprocess.Popen(
            command, cwd=work, env=variables, stdin=subprocess.DEVNULL, start_new_session=True,
            stdout=(out / "driver.txt").open("w"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            code: int | str = process.wait(max(run.limit - (time.monotonic() - began), 1))
        except subprocess.TimeoutExpired:
            code = "time limit"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        lines = (out / "steps.jsonl").read_text().splitlines() if (out / "steps.jsonl").exists() else []
        done = len(lines)
        if done < len(run.steps):
            line = {"number": done, "step": run.steps[done], "code": code, "seconds": 0.0}
            with (out / "steps.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")
            done += 1
    shutil.rmtree(home)
    return time.monotonic() - began


def in_parallel(runs: Sequence[Run], jobs: int, ready: Callable[[Run], bool], work: Callable[[Run], None]) -> None:
    """Call `work` for each run, those that are not ready after the others, in `jobs` threads."""
    waiting, going = list(runs), dict[Future[None], Run]()
    with ThreadPoolExecutor(jobs) as pool:
        while waiting or going:
            for run in [r for r in waiting if ready(r)][: jobs - len(going)]:
                waiting.remove(run)
                going[pool.submit(work, run)] = run
            if not going:
                sys.exit(f"error: nothing is recorded for {waiting[0].start}, with which {waiting[0].name} begins")
            for future in wait(going, return_when=FIRST_COMPLETED).done:
                del going[future]
                future.result()


def record(folder: Path, runs: Sequence[Run], source: Path, jobs: int) -> int:
    """Record all results of each run; returns 1 where a run that is to be killed was not, or one took too long."""
    wrong = []

    def work(run: Run) -> None:
        seconds = execute(run, source, folder / run.start / "work" if run.start else None, folder / run.name)
        codes = [json.loads(line)["code"] for line in (folder / run.name / "steps.jsonl").read_text().splitlines()]
        refused = {"help", "refusals"} & {run.kind}
        fine = "time limit" not in codes and (KILLED in codes) == run.dies and (refused or not set(codes) - {0, KILLED})
        if not fine:
            wrong.append(run.name)
        print(f"{'recorded' if fine else 'WRONG   '} {run.name:<32} {seconds:6.1f} s  {codes}", flush=True)
        (folder / run.name / "done").touch()

    for run in runs:
        (folder / run.name / "done").unlink(missing_ok=True)
    chosen = {run.name for run in runs}
    in_parallel(runs, jobs, lambda r: not r.start or (folder / r.start / "done").exists(), work)
    print(f"{len(chosen)} runs recorded in {folder}" + (f"; to be looked at: {', '.join(wrong)}" if wrong else ""))
    return 1 if wrong else 0


def compare(folder: Path, runs: Sequence[Run], source: Path, jobs: int, keep: Path, strict: bool, most: int) -> int:
    """Do the runs again and print the differences; returns 1 where there are any."""
    found: dict[str, list[Difference]] = {}

    def work(run: Run) -> None:
        seconds = execute(run, source, folder / run.start / "work" if run.start else None, keep / run.name)
        found[run.name] = notes = differences(folder / run.name, keep / run.name, run.kind)
        differ = [n for n in notes if strict or not n.change]
        word = "differs" if differ else "equal" if not notes else "changed"
        print(f"{word:<8} {run.name:<32} {seconds:6.1f} s", flush=True)
        for line in summary(notes, most):
            print(f"    {line}", flush=True)

    missing = [r.name for r in runs if not (folder / r.name / "done").exists()]
    if missing:
        sys.exit(f"error: {folder} has no record of {', '.join(missing)}")
    again = [r for r in runs if not r.once]
    in_parallel(again, jobs, lambda _: True, work)
    bad = sorted(name for name, notes in found.items() if any(strict or not n.change for n in notes))
    allowed = sorted(name for name, notes in found.items() if notes and name not in bad)
    print(f"{len(again)} runs: {len(again) - len(bad) - len(allowed)} equal, {len(bad)} differ, {len(allowed)} changed")
    print(f"what came out is in {keep}")
    return 1 if bad else 0


def summary(found: Sequence[Difference], most: int) -> list[str]:
    """A line for each difference, at most `most` for each file or output; a difference in several files has one
    line."""
    alike: dict[tuple[str, str, str], list[str]] = {}
    for d in found:
        what = re.sub(r"\[\d+\]", "[]", d.what) if d.change else d.what
        alike.setdefault((d.change or "differs", what, "" if d.change else d.where), []).append(d.where)
    lines, printed = [], Counter[tuple[str, str]]()
    for (kind, what, where), places in alike.items():
        printed[kind, where] += 1
        files = list(dict.fromkeys(places))
        more = f" and {len(files) - 1} more" if len(files) > 1 else ""
        if printed[kind, where] <= most:
            lines.append(f"{kind}: {files[0]}{more}: {what}")
    cut = [(k, w, n - most) for (k, w), n in printed.items() if n > most]
    return [*lines, *(f"{kind}: {where + ': ' if where else ''}{n} more (--most)" for kind, where, n in cut)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["record", "compare", "list"])
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--only", default="*", help="names of runs: design, 'train-*'; several with commas")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time")
    parser.add_argument("--source", type=Path, default=SCRIPTS.parent / "src", help="folder with the package nucleate")
    parser.add_argument("--keep", type=Path, help="compare: where what comes out now is kept (default: a new folder)")
    parser.add_argument("--strict", action="store_true", help="compare: changes of layout and help are differences too")
    parser.add_argument("--most", type=int, default=5, help="compare: differences of one kind that are printed")
    options = parser.parse_args()
    patterns = [p if "*" in p else f"{p}*" for p in options.only.split(",")]
    runs = [r for r in RUNS if any(fnmatch.fnmatch(r.name, p) for p in patterns)]
    if not runs:
        parser.error(f"no run is named {options.only}")
    if options.what == "list":
        for run in runs:
            print(run.name, f"(begins with {run.start})" if run.start else "")
            print(*(f"    {' '.join(step.split())[:200]}" for step in run.steps), sep="\n")
        return 0
    if options.folder is None or "NUCLEATE_DATA" not in os.environ:
        parser.error("give a folder for the record, and NUCLEATE_DATA in the environment")
    try:
        version("nucleate-papers")
    except PackageNotFoundError:
        parser.error("the runs use models of nucleate-papers; run: pip install -e packages/papers")
    folder, source = options.folder.resolve(), options.source.resolve()
    if options.what == "record":
        return record(folder, runs, source, options.jobs)
    keep = options.keep.resolve() if options.keep else Path(tempfile.mkdtemp(prefix="golden-"))
    return compare(folder, runs, source, options.jobs, keep, options.strict, options.most)


if __name__ == "__main__":
    sys.exit(main())
