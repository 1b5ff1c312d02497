"""What differs between two outcomes of one golden run.

Words are compared exactly, numbers to TOLERANCE. Times, dates, paths, local addresses, numbers of cores and the version
of nucleate are replaced before the comparison, and lines of progress are left out, since none of these is a result.
Some things may change when the code is rebuilt: help texts, and the layout of records that only the code reads. They
are reported as changes, apart from the differences.
"""

from __future__ import annotations

import csv
import difflib
import gzip
import io
import json
import math
import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path
from typing import Any

TOLERANCE = 1e-6  # eV, angstrom, fractional coordinates; a tenth of it is added relative to the size of a number
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.\d*|\.?\d+)(?:[eE][-+]?\d+)?(?![\w.])")
PROGRESS = re.compile(
    r"^.*: (\d[\d,]* of \d[\d,]*(, .* s\b.*)?|goes on, .*|[\d,]+ steps of .*: about .*|step \d+ of .*)$", re.MULTILINE
)
SPENT = r"(?:\d[\d,]*(?:\.\d+)?(?:e-\d+)? (?:s|min|h)\b ?)+(?<! )"
REPLACED = [
    (re.compile(rf"Time by stage (?:[a-z, ()\d]+? {SPENT} (?:< )?\d+ % ?)+"), ""),
    (re.compile(rf"\b[Tt]ime: (?:[a-z, ()\d]*? {SPENT}(?:, )?)+"), ""),
    (re.compile(rf"\b{SPENT}"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?)?\w*"), "<date>"),
    (re.compile(r"\b\d+ cores?\b"), "<cores>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"nucleate \d+\.\d+\S*"), "nucleate <version>"),
]
# Keys of JSON files and columns of tables that hold times, or hashes of what holds times.
NO_RESULTS = re.compile(r"seconds|sha256_metadata|\w+_per_s|\w+_seconds|core_hours")
# Parts of records that only the code reads, and notes for people. What they say stands in tables and reports as well.
LAYOUT_KEYS = ("provenance", "stages", "request", "settings", "metadata")
LAYOUT_FILES = ("request.json", "settings.json")
LAYOUT_CHANGED, HELP_CHANGED = "layout changed", "help changed"


@dataclass(frozen=True)
class Difference:
    """where: a file, or a step and its output. what: what was there and what is. change: why it is allowed, or ""."""

    where: str
    what: str
    change: str = ""


def differences(old: Path, new: Path, kind: str) -> list[Difference]:
    """Everything in which the folders of a recorded and of a new run differ: exit codes, what was printed, files."""
    change, found = HELP_CHANGED if kind == "help" else "", []
    places = [json.loads((folder / "places.json").read_text()) for folder in (old, new)]
    steps = [[json.loads(x) for x in (f / "steps.jsonl").read_text().splitlines()] for f in (old, new)]
    if [a["step"] for a in steps[0]] != [b["step"] for b in steps[1]]:
        return [Difference("steps", "are not those of the record: record this run anew with the code of the record")]
    for a, b in zip(*steps, strict=True):
        name = " ".join(f"nucleate {a['step']}".split())[:100]
        if a["code"] != b["code"]:
            found.append(Difference(name, f"exit code {a['code']} -> {b['code']}", change))
        for end, stream in (("out", "standard output"), ("err", "standard error")):
            texts = [(f / f"{a['number']:02d}.{end}").read_text(errors="replace") for f in (old, new)]
            texts = [replaced(without_progress(text), p) for text, p in zip(texts, places, strict=True)]
            found += [Difference(f"{name}: {stream}", text, change) for text in text_differences(*texts)]
    was, now = results_in(old / "work"), results_in(new / "work")
    for name in sorted({*was, *now}):
        if name not in now:
            found.append(Difference(name, "is not written any more"))
        elif name not in was:
            found.append(Difference(name, "was not written before", LAYOUT_CHANGED))
        else:
            found += file_differences(name, was[name], now[name], places)
    return found


def results_in(folder: Path) -> dict[str, Path]:
    """The files of a folder by their relative names, without locks and journals of data bases."""
    files = [p for p in folder.rglob("*") if p.is_file() and not p.name.startswith(".")]
    return {str(p.relative_to(folder)): p for p in files if p.suffix not in (".db-wal", ".db-shm", ".db-journal")}


def file_differences(name: str, old: Path, new: Path, places: list[dict[str, str]]) -> list[Difference]:
    """The first hundred differences of two files."""
    was, now = read(old, places[0]), read(new, places[1])
    if isinstance(was, str) and isinstance(now, str):
        context = 6 if old.suffix == ".html" else 0
        return [Difference(name, text) for text in islice(text_differences(was, now, context), 100)]
    only_layout = Path(name).name in LAYOUT_FILES
    found = islice(unequal(was, now), 100)
    return [Difference(name, text, LAYOUT_CHANGED if only_layout or soft else "") for text, soft in found]


def read(path: Path, places: Mapping[str, str]) -> Any:
    """A file as text that can be compared, or as numbers, texts, lists and dictionaries."""
    suffix = path.suffix.lower()
    if suffix == ".json":
        return from_json(path.read_text())
    if suffix == ".jsonl":
        return [from_json(line) for line in path.read_text().splitlines()]
    if suffix == ".csv":
        rows = list(csv.DictReader(io.StringIO(replaced(path.read_text(), places))))
        return [list(rows[0]) if rows else [], *rows]
    if suffix in (".html", ".svg"):
        return "\n".join(replaced(visible_text(path.read_text()), places).split())
    if suffix == ".safetensors":
        return read_tensors(path)
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path).to_pylist()
    if suffix == ".db":
        return read_database(path)
    data = gzip.decompress(path.read_bytes()) if suffix == ".gz" else path.read_bytes()
    try:
        return replaced(without_progress(data.decode()), places)
    except UnicodeDecodeError:
        return list(data)


def from_json(text: str) -> Any:
    """The text itself where it is no JSON."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def read_tensors(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file as lists of numbers, and its metadata."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        tensors = {name: file.get_tensor(name).double().tolist() for name in file.keys()}  # noqa: SIM118
        return {"metadata": {k: from_json(v) for k, v in (file.metadata() or {}).items()}, **tensors}


def read_database(path: Path) -> list[Any]:
    """The structures of an ASE data base in order, with all that is kept about them."""
    import ase.db

    try:
        rows = list(ase.db.connect(str(path)).select())
    except sqlite3.Error as error:
        return [str(error)]
    structures = [{"numbers": r.numbers, "positions": r.positions, "cell": r.cell} for r in rows]
    return [
        {k: v.tolist() for k, v in s.items()} | {"key_value_pairs": dict(r.key_value_pairs), "data": dict(r.data)}
        for s, r in zip(structures, rows, strict=True)
    ]


class VisibleText(HTMLParser):
    """The text of a page without scripts and styles."""

    HIDDEN = ("script", "style", "metadata")

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.hidden += tag in self.HIDDEN

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in self.HIDDEN

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.texts.append(data)


def visible_text(page: str) -> str:
    """What a reader sees of a page, in one line."""
    parser = VisibleText()
    parser.feed(page)
    return " ".join(" ".join(parser.texts).split())


def replaced(text: str, places: Mapping[str, str]) -> str:
    """The text with names in place of paths, times, dates, addresses and versions. places: paths and their names."""
    for path, name in places.items():
        text = text.replace(path, name)
    for pattern, name in REPLACED:
        text = pattern.sub(name, text)
    return text


def without_progress(text: str) -> str:
    """The lines that are no progress, without empty ones."""
    return "\n".join(line.rstrip() for line in PROGRESS.sub("", text).splitlines() if line.strip())


def text_differences(old: str, new: str, context: int = 0) -> Iterator[str]:
    """Each place in which two texts differ. context: lines before it that are shown as well."""
    was, now = old.splitlines(), new.splitlines()
    if old == new or (len(was) == len(now) and all(map(same_line, was, now))):
        return
    for kind, i, j, k, m in difflib.SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if kind == "equal" or (j - i == m - k and all(map(same_line, was[i:j], now[k:m]))):
            continue
        before = f"after {' '.join(was[max(i - context, 0) : i])!r}: " if context else ""
        yield f"line {i + 1}: {before}{from_where_they_part(' '.join(was[i:j]), ' '.join(now[k:m]))}"


def same_line(a: str, b: str) -> bool:
    """Whether two lines have the same words, and numbers within the tolerance."""
    numbers = [[float(x) for x in NUMBER.findall(line)] for line in (a, b)]
    return NUMBER.sub("#", a) == NUMBER.sub("#", b) and all(map(close, *numbers))


def from_where_they_part(old: str, new: str) -> str:
    start = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(start - 40, 0)
    return f"{old[start : start + 100]!r} -> {new[start : start + 100]!r}"


def close(a: float, b: float) -> bool:
    return a == b or abs(a - b) <= TOLERANCE + TOLERANCE / 10 * abs(a) or (math.isnan(a) and math.isnan(b))


def unequal(old: Any, new: Any, where: str = "", layout: bool = False) -> Iterator[tuple[str, bool]]:
    """Each place in which two values differ, and whether only the layout of records changed there."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            here, only_layout = f"{where}.{key}", layout or key in LAYOUT_KEYS
            if NO_RESULTS.fullmatch(str(key)):
                continue
            if key not in new:
                yield f"{here} is gone", only_layout
            elif key not in old:
                yield f"{here} is new", True
            elif key == "failure":
                yield from unequal(failure_text(old[key]), failure_text(new[key]), here, only_layout)
            else:
                yield from unequal(old[key], new[key], here, only_layout)
    elif isinstance(old, list | tuple) and isinstance(new, list | tuple):
        if len(old) != len(new):
            yield f"{where}: {len(old)} -> {len(new)} items", layout
        for i, (a, b) in enumerate(zip(old, new, strict=False)):
            yield from unequal(a, b, f"{where}[{i}]", layout)
    elif isinstance(old, float | int) and isinstance(new, float | int):
        if not close(old, new):
            yield f"{where}: {old} -> {new}", layout
    elif isinstance(old, str) and isinstance(new, str):
        for text in text_differences(replaced(old, {}), replaced(new, {})):
            yield f"{where}: {text}", layout
    elif old != new:
        yield f"{where}: {str(old)[:60]} -> {str(new)[:60]}", layout


def failure_text(failure: Any) -> Any:
    """A failure as "stage: reason", also where a record keeps its parts under their own names."""
    return f"{failure['stage']}: {failure['reason']}" if isinstance(failure, dict) else failure
