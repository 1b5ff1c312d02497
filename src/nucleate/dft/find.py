"""Which files of a folder are outputs of DFT programs, and which one is the last of several of the same run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nucleate.dft.compressed import ARCHIVES, OPENERS, OTHERS, bare_name, open_compressed
from nucleate.errors import NucleateError

LOOKED_FOR = "vasprun.xml, OUTCAR (also .gz, .bz2, .xz, and .relax1, .relax2 ...), *.out and *.pwo of pw.x, result.json"
INPUTS = ("INCAR", "pw.in", "candidate.json")  # of a calculation that has not run
VASPRUN = re.compile(r"^(?P<before>.*)vasprun(?P<stage>[._-].+?)?\.xml$", re.IGNORECASE)
OUTCAR = re.compile(r"^(?P<before>(?:.*[._-])?)OUTCAR(?P<stage>[._-].+)?$")
STAGE = re.compile(r"^[._-](?:relax|opt|run|step)?[._-]?(\d+)$|^[._-]?(static|scf|final)$", re.IGNORECASE)


@dataclass(frozen=True)
class Output:
    """A file to be read.

    kind: vasprun, outcar, espresso or ours; "" where it is no output, for `reason`. alone: whether it is the only
    output in its folder, after which the calculation is then named. superseded: names of earlier outputs of the same
    run, which are not read. spare: the OUTCAR of the same run, which is read where vasprun.xml has no energy.
    """

    path: Path
    kind: str
    alone: bool = True
    superseded: tuple[str, ...] = ()
    reason: str = ""
    spare: Path | None = None


def find_outputs(paths: Iterable[Path]) -> tuple[list[Output], list[str]]:
    """The outputs in files and folders (with their sub-folders), and a line for everything that was left out.

    Raises NucleateError for a path that does not exist, and where there is no output at all.
    """
    out: list[Output] = []
    notes: list[str] = []
    paths = list(paths)
    for path in paths:
        if path.is_file():
            kind = "" if _is_archive(path) else output_kind(path)
            why = "" if kind else _no_output(path)
            out.append(Output(path, kind, alone=_has_standard_name(path), reason=why))
        elif path.is_dir():
            out += _in_folder(path, notes)
        else:
            raise NucleateError(f"{path} does not exist")
    if not any(o.kind for o in out) and not any(p.is_file() for p in paths):
        where = ", ".join(map(str, paths))
        waiting = f" (inputs that have not run: {len(out)})" if out else ""
        more = f"; {'; '.join(notes)}" if notes else ""
        raise NucleateError(f"no result in {where}{waiting}; looked for {LOOKED_FOR}{more}")
    return out, notes


def output_kind(path: Path) -> str:
    """The kind of an output (see `Output`), by the name of the file and its first lines; "" for what is no output."""
    name = bare_name(path)
    if name == "result.json":
        return "ours"
    if VASPRUN.match(name):
        return "vasprun"
    if OUTCAR.match(name):
        return "outcar"
    head = _head(path)
    if b"Program PWSCF" in head:
        return "espresso"
    if b"<modeling>" in head:
        return "vasprun"
    return "outcar" if re.match(rb"\s*vasp\.\d", head) and re.search(rb"(INCAR|POTCAR):", head) else ""


def _in_folder(top: Path, notes: list[str]) -> list[Output]:
    out: list[Output] = []
    archives: list[str] = []
    folders = [top, *sorted(p for p in top.rglob("*") if p.is_dir())]
    for folder in folders:
        if ".old-" in folder.name or any(part.startswith(".") for part in folder.relative_to(top).parts):
            continue
        files = sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
        archives += [p.name for p in files if _is_archive(p)]
        found = _last_of_each(files)
        out += found
        inputs = {p.name for p in files} & set(INPUTS)
        if not found and inputs and not any(_may_be_output(p) for p in folder.rglob("*") if p.is_file()):
            said = f"no result yet: there is {', '.join(sorted(inputs))}, but no output of a program"
            out.append(Output(folder / sorted(inputs)[0], "", reason=said))
    if archives:
        few = ", ".join(archives[:3]) + (" ..." if len(archives) > 3 else "")
        notes.append(f"archives in {top} were not opened ({few}): unpack those that hold results")
    return out


def _may_be_output(path: Path) -> bool:
    """Whether the name may be that of an output."""
    name = bare_name(path)
    return bool(name == "result.json" or VASPRUN.match(name) or OUTCAR.match(name) or name.endswith((".out", ".pwo")))


def _last_of_each(files: list[Path]) -> list[Output]:
    """The last output of each run in a folder; of vasprun.xml and OUTCAR the first is taken."""
    kinds = {p: output_kind(p) for p in files if _may_be_output(p)}
    ours = [p for p, kind in kinds.items() if kind == "ours"]
    if ours:  # beside it lie outputs of the program that `nucleate dft run` used
        return [Output(ours[0], "ours")]
    runs: dict[tuple[str, str], list[Path]] = {}
    for kind, pattern in (("vasprun", VASPRUN), ("outcar", OUTCAR)):
        for path in (p for p, k in kinds.items() if k == kind):
            match = pattern.match(bare_name(path))
            if match is None:  # it was recognised by its content
                runs[kind, path.name] = [path]
                continue
            stage = match["stage"] or ""
            known = not stage or STAGE.match(stage)
            runs.setdefault((kind, match["before"] + ("" if known else stage)), []).append(path)
    xml = {run for kind, run in runs if kind == "vasprun"}
    chosen = [(k, v) for k, v in runs.items() if k[0] == "vasprun" or k[1] not in xml]
    chosen += [(("espresso", p.name), [p]) for p, kind in kinds.items() if kind == "espresso"]
    out = []
    for (kind, run), several in chosen:
        *earlier, last = sorted(several, key=_order)
        of_stage = [p for p in runs.get(("outcar", run), []) if kind == "vasprun" and _order(p)[:2] == _order(last)[:2]]
        spare = of_stage[0] if of_stage else None
        out.append(Output(last, kind, len(chosen) == 1, tuple(p.name for p in earlier), spare=spare))
    return sorted(out, key=lambda o: o.path.name)


def _order(path: Path) -> tuple[int, int, int]:
    """For sorting: relax1, relax2, static, then the name without a stage; compressed copies before others."""
    name = bare_name(path)
    match = VASPRUN.match(name) or OUTCAR.match(name)
    stage = STAGE.match((match["stage"] or "") if match else "")
    plain = int(path.suffix.lower() not in OPENERS)
    if stage is None:
        return 2, 0, plain
    return (0, int(stage[1]), plain) if stage[1] else (1, 0, plain)


def _has_standard_name(path: Path) -> bool:
    """Whether the file has a standard name, so that the calculation is named after its folder."""
    name = bare_name(path)
    match = VASPRUN.match(name) or OUTCAR.match(name)
    return name in ("result.json", "pw.out") or bool(match and not match["before"])


def _is_archive(path: Path) -> bool:
    name = path.name.lower()
    return any(name.endswith((a, a + ".gz", a + ".bz2", a + ".xz", a + ".zst")) for a in ARCHIVES)


def _no_output(path: Path) -> str:
    if _is_archive(path):
        return "it is an archive: unpack it, and give the folder"
    if path.name.startswith("vaspout") and path.suffix == ".h5":
        return "vaspout.h5 cannot be read here: give vasprun.xml or OUTCAR of the same run"
    if path.suffix.lower() in OTHERS:
        return f"{path.suffix} cannot be unpacked here: unpack it first"
    return f"no output of a program that is known here; known are {LOOKED_FOR}"


def _head(path: Path) -> bytes:
    try:
        with open_compressed(path) as file:
            return file.read(4096)
    except (NucleateError, OSError, EOFError):
        return b""


def calculation_names(outputs: Iterable[Output]) -> Iterator[str]:
    """The name of each calculation: that of its folder, or of the file where several lie in one folder.

    Where names are equal, folders above are put before them.
    """
    outputs = list(outputs)
    names = [_name(o, 0) for o in outputs]
    for depth in range(1, 12):
        twice = {n for n in names if names.count(n) > 1}
        names = [_name(o, depth) if n in twice else n for o, n in zip(outputs, names, strict=True)]
    yield from names


def _name(output: Output, depth: int) -> str:
    path = output.path.absolute()
    last = path.parent if output.alone else path.parent / re.sub(r"\.(xml|out|pwo)$", "", bare_name(path))
    parts = [p for p in last.parts if p not in ("/", "..")]
    return "/".join(parts[-1 - depth :]) or bare_name(path)
