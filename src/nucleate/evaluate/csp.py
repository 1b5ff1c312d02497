"""The work of `nucleate evaluate csp`: choose targets, predict, judge. Predictions that are stored are not repeated.

Predictions are JSON lines, one prediction each, so that anyone's can be judged:
{"material_id": ..., "sample": 0, "lattice": 3 x 3, "frac_coords": n x 3, "atomic_numbers": n}, or "cif": text, or
"structure": pymatgen's dictionary in place of the three arrays, or "reason": why there is none.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.errors import NucleateError
from nucleate.io import replacing
from nucleate.io.parse import structure_from_dict
from nucleate.locks import Lock
from nucleate.pipeline.events import Watch
from nucleate.store.journal import JournalLines, changed_settings

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.evaluate.matching.counts import MatchSettings
    from nucleate.evaluate.metric import Report
    from nucleate.generators.base import StructureGenerator

Predictions = dict[str, dict[int, "Structure | None"]]  # material_id -> sample -> structure


def load_targets(dataset: str, n: int | None = None, seed: int = 0) -> list[tuple[str, Structure]]:
    """(material_id, structure) of `n` crystals of a data set such as "mp-20:test", all of them for None.

    The choice is a fixed shuffle by `seed`, cut after n: a larger n keeps the smaller one's targets. Rows without a
    known structure (some of mp-20:train) cannot be targets and are passed over.
    """
    from nucleate.crystal.columns import GEOMETRY, structure_of_row
    from nucleate.data import load_table

    if n is not None and n < 1:
        raise NucleateError(f"the number of compositions must be at least 1, not {n}")
    table = load_table(dataset).select(["material_id", *GEOMETRY])
    order = [i for i, coords in enumerate(table["frac_coords"].to_pylist()) if coords]
    if n is not None and n > len(order):
        raise NucleateError(f"{dataset} has {len(order)} crystals, fewer than the {n} asked for")
    if n is not None:
        random.Random(seed).shuffle(order)
    targets = []
    for row in table.take(order[:n]).to_pylist():
        targets.append((str(row["material_id"]), structure_of_row(row)))
    return targets


def weights_digest(weights: str) -> str:
    """The start of the SHA-256 of a file of weights, or package and version of a plug-in; "" for anything else.

    With it a run is not continued with another generator of the same name.
    """
    from nucleate.generators.registry import GENERATORS
    from nucleate.train.shipped import weights_file

    if (part := GENERATORS.plugin(weights)) is not None:
        return part.source
    path = weights_file(weights)
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path is not None else ""


def prediction_seed(seed: int, material_id: str, sample: int) -> int:
    """The seed of one prediction, which does not depend on what else is predicted in the run."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{material_id}/{sample}".encode(), digest_size=6).digest(), "big")


def read_predictions(path: str | Path) -> Predictions:
    """Predictions by material_id and sample; raises NucleateError naming the line at fault."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NucleateError(f"cannot read the predictions in {path} ({error})") from None
    out: Predictions = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            name, structure = str(record["material_id"]), _structure(record)
            samples = out.setdefault(name, {})
            sample = int(record.get("sample", len(samples)))
        except Exception as error:  # any parser's error, of any field
            raise NucleateError(f"{path}, line {number}: not a prediction ({type(error).__name__}: {error})") from None
        if sample in samples:
            raise NucleateError(f"{path}, line {number}: a second prediction for {name}, sample {sample}")
        samples[sample] = structure
    return out


def _structure(record: Mapping[str, Any]) -> Structure | None:
    from pymatgen.core import Lattice, Structure

    if record.get("structure") is not None:
        return structure_from_dict(record["structure"])
    if record.get("cif") is not None:
        return Structure.from_str(record["cif"], fmt="cif")
    if record.get("lattice") is not None:
        return Structure(Lattice(record["lattice"]), record["atomic_numbers"], record["frac_coords"])
    if "reason" in record:
        return None
    raise ValueError("it has none of lattice, cif, structure and reason")


def prediction_line(material_id: str, sample: int, seed: int, structure: Structure | None, reason: str = "") -> str:
    """One line of predictions.jsonl, with full precision."""
    record: dict[str, Any] = {"material_id": material_id, "sample": sample, "seed": seed}
    if structure is None:
        record["reason"] = reason
    else:
        record["lattice"] = structure.lattice.matrix.tolist()
        record["frac_coords"] = structure.frac_coords.tolist()
        record["atomic_numbers"] = list(structure.atomic_numbers)
    return json.dumps(record)


def open_folder(folder: Path, settings: Mapping[str, Any]) -> None:
    """Make the folder of a run, or check that the run in it had the same settings; else raises NucleateError."""
    note = folder / "settings.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not settings:  # nothing will be predicted there
            return
        if not note.exists():
            write_whole(note, json.dumps(dict(settings), indent=1))
        before = json.loads(note.read_text())
    except (OSError, ValueError) as error:
        raise NucleateError(f"cannot use the folder {folder} ({error})") from None
    for k in changed_settings({k: before.get(k) for k in settings}, settings):
        raise NucleateError(
            f"{folder} holds predictions with {k} {before.get(k)!r}, not {settings[k]!r}; give another --out"
        )


def predict_missing(
    generator: StructureGenerator,
    targets: Sequence[tuple[str, Structure]],
    samples: int,
    seed: int,
    path: Path,
    chunk: int = 512,
    watch: Watch | None = None,
) -> None:
    """Predict what the file at `path` does not hold yet, appending chunk by chunk; a kill loses one chunk at most."""
    with Lock(path.with_name(f".{path.name}.lock"), f"is writing {path}", "choose another --out") as lock:
        with JournalLines(path) as lines:
            _predict_into(lines, generator, targets, samples, seed, chunk, watch or Watch())
        lock.discard()


def _predict_into(
    journal: JournalLines,
    generator: StructureGenerator,
    targets: Sequence[tuple[str, Structure]],
    samples: int,
    seed: int,
    chunk: int,
    watch: Watch,
) -> None:
    done = read_predictions(journal.path)
    todo = [(name, t, s) for s in range(samples) for name, t in targets if s not in done.get(name, {})]
    todo.sort(key=lambda job: len(job[1]))  # crystals of one size share a batch
    total = samples * len(targets)
    finished = total - len(todo)
    watch.progress("predict", finished, total)
    for start in range(0, len(todo), chunk):
        jobs = todo[start : start + chunk]

        def report(n: int, _: int, base: int = finished) -> None:
            watch.progress("predict", base + n, total)

        seeds = [prediction_seed(seed, name, s) for name, _, s in jobs]
        results = _generate(generator, [t for _, t, _ in jobs], seeds, report)
        lines = [
            prediction_line(name, s, stream, structure, reason)
            for (name, _, s), stream, (structure, reason) in zip(jobs, seeds, results, strict=True)
        ]
        journal.add(lines)
        finished += len(jobs)
        report(0, 0, finished)


def _generate(
    generator: StructureGenerator,
    targets: Sequence[Structure],
    seeds: Sequence[int],
    progress: Callable[[int, int], None],
) -> list[tuple[Structure | None, str]]:
    """(structure, reason) for each target. One that the generator refuses does not stop the others."""
    from nucleate.crystal.convert import atom_counts
    from nucleate.generators.base import Condition

    conditions = [Condition(composition=atom_counts(t)) for t in targets]
    try:
        return [(s, "") for s in generator.generate(conditions, seeds, progress)]
    except NucleateError as error:
        if len(targets) == 1:
            return [(None, str(error))]
    half = len(targets) // 2
    return _generate(generator, targets[:half], seeds[:half], progress) + _generate(
        generator, targets[half:], seeds[half:], progress
    )


def write_whole(path: Path, text: str) -> None:
    """Write a file completely or not at all. Raises NucleateError where it cannot be written."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def judge_predictions(
    targets: Sequence[tuple[str, Structure]],
    predictions: Predictions,
    samples: int | None = None,
    matcher: MatchSettings | None = None,
    workers: int | None = None,
    watch: Watch | None = None,
    across: bool = True,
    protocol: str = "crystalite-2026",
    dataset: str = "",
    subject: str = "predictions",
    settings: Mapping[str, Any] | None = None,
) -> Report:
    """Judge the first `samples` predictions of each target (all for None); targets without any count as missed.

    across: match predictions with the other targets of their composition too, for METRe. protocol, dataset, subject,
    settings: what the report says of itself, see `csp_report.evaluate_csp`.
    """
    from nucleate.evaluate.csp_report import evaluate_csp

    names = {name for name, _ in targets}
    if not any(name in names for name in predictions):
        raise NucleateError("none of the predictions is for a target of this data set; compare the material_id")
    k = samples or 1 + max(s for by_sample in predictions.values() for s in by_sample)
    groups = [(name, t, [predictions.get(name, {}).get(s) for s in range(k)]) for name, t in targets]

    return evaluate_csp(
        groups,
        matcher,
        across=across,
        workers=workers,
        progress=(watch or Watch()).counter("match"),
        protocol=protocol,
        dataset=dataset,
        subject=subject,
        settings=settings,
    )
