"""Reading outputs of VASP, of Quantum ESPRESSO and of `nucleate dft run`, as records of one kind.

A file that cannot be read, or a calculation that failed, becomes a record with the reason, and the others are read.
"""

from __future__ import annotations

import dataclasses
import json
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from nucleate.dft.espresso import read_espresso
from nucleate.dft.find import Output, calculation_names, output_kind
from nucleate.dft.frames import read_json_object, to_structure
from nucleate.dft.inputs import CANDIDATE
from nucleate.dft.job import DONE
from nucleate.dft.method import DftMethod
from nucleate.dft.outcar import read_outcar
from nucleate.dft.parsed import ParsedCalculation, checked_finite
from nucleate.dft.vasp import parsed_vasp
from nucleate.dft.vasp_xml import read_vasprun
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate


def parse_output(output: Output | Path) -> ParsedCalculation:
    """The result in an output, with finite numbers only; for one that cannot be read, a record with the reason."""
    if isinstance(output, Path):
        output = Output(output, output_kind(output))
    if output.kind not in READERS:
        return ParsedCalculation(output.path, reason=output.reason or "not an output of VASP, pw.x or nucleate dft")
    result = _read(output.kind, output.path)
    remarks = list(result.remarks)
    if result.energy is None and output.spare is not None:
        second = _read("outcar", output.spare)
        if second.energy is not None:
            result, why = second, result.reason
            remarks = [*second.remarks, f"{output.spare.name} was read, for {output.path.name} has no energy: {why}"]
    if output.superseded:
        remarks.append(f"{output.path.name} was read, the last of its run, not {', '.join(output.superseded)}")
    return dataclasses.replace(result, remarks=tuple(remarks))


def _read(kind: str, path: Path) -> ParsedCalculation:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return checked_finite(READERS[kind](path))
    except NucleateError as error:
        return ParsedCalculation(path, reason=str(error))
    except Exception:  # a broken file breaks a library's reader in many ways
        return ParsedCalculation(
            path, reason="its energies or structures are not written as the program writes them: the file is damaged"
        )


def candidates_of_outputs(outputs: Iterable[Output], results: Iterable[ParsedCalculation]) -> list[Candidate]:
    """The candidate of each output: that of the candidate.json which `dft.inputs` wrote beside it, else a new one that
    is named after the folder.

    Where names are equal, they get numbers.
    """
    from nucleate.pipeline.candidate_files import with_own_ids

    outputs = list(outputs)
    pairs = zip(outputs, results, calculation_names(outputs), strict=True)
    return with_own_ids(_candidate(o, r, name) for o, r, name in pairs)


def _candidate(output: Output, result: ParsedCalculation, name: str) -> Candidate:
    record = (read_json_object(output.path.parent / CANDIDATE) or {}) if output.alone else {}
    if isinstance(record.get("candidate"), dict):
        try:
            json.dumps(record["candidate"], allow_nan=False)
            return Candidate.from_dict(record["candidate"])
        except (NucleateError, ValueError):  # a damaged candidate.json does not spoil the calculation
            pass
    return Candidate(str(record.get("name") or name), structure=result.structure)


def _ours(path: Path) -> ParsedCalculation:
    values = read_json_object(path)
    if values is None or "status" not in values:
        return ParsedCalculation(path, reason="no result of nucleate dft")
    if values["status"] != DONE:
        return ParsedCalculation(path, reason=str(values["reason"]), steps=values["steps"], seconds=values["seconds"])
    found = re.fullmatch(r"(.+?) PBE, (.+) \(uncorrected\)", str(values["method"]))
    return ParsedCalculation(
        path,
        to_structure(values["atoms"]),
        float(values["energy"]),
        DftMethod(found[1], "PBE", found[2], scale="PBE")
        if found
        else DftMethod(str(values["method"]), "", "", incomparable="it does not say its method as nucleate dft does"),
        bool(values["converged"]),
        steps=int(values["steps"]),
        seconds=float(values["seconds"]),
        moment=values["moment"],
        reason="" if values["converged"] else "the relaxation was stopped by its limit of steps",
    )


READERS: Mapping[str, Callable[[Path], ParsedCalculation]] = {
    "vasprun": lambda path: parsed_vasp(path, read_vasprun(path)),
    "outcar": lambda path: parsed_vasp(path, read_outcar(path)),
    "espresso": read_espresso,
    "ours": _ours,
}
