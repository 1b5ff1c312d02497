"""The files of a run that people read: structures, table and report, beside its database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nucleate.pipeline.candidate import Candidate
    from nucleate.tasks.blueprint import Blueprint
    from nucleate.tasks.design import DesignResult


def write_outputs(result: DesignResult, plan: Blueprint) -> None:
    """CIFs, candidates.extxyz, candidates.jsonl and report.html beside the database; each replaces the old at once."""
    from nucleate.language.chat import usage_text
    from nucleate.search.tree import summary_text

    price = result.settings.language.price
    write_files(
        result.folder,
        result.all,
        result.request.text or "anything",
        {
            "understood": result.request.describe(),
            **({"left out": left_out} if (left_out := result.request.left_out) else {}),
            **result.settings.flat(),
            "candidates": result.request.candidates,
            **plan.record,
            **({"not judged": ", ".join(plan.unjudged)} if plan.unjudged else {}),
            **({"read": "; ".join(read)} if (read := sources(result.all)) else {}),
            **({"language model took": usage_text(result.language, price)} if result.language else {}),
            **({"tree search": summary_text(result.tree)} if result.tree else {}),
        },
        dict(result.seconds),
    )


def write_files(
    folder: Path, ranked: Sequence[Candidate], title: str, settings: Mapping[str, Any], seconds: Mapping[str, float]
) -> None:
    """The files themselves; settings: what the report says of how they came about."""
    from nucleate.pipeline.candidate_files import write_candidates
    from nucleate.report.run_page import write_report

    with_structure = [c for c in ranked if c.structure is not None]
    if with_structure:
        write_candidates(folder / "cif", with_structure)
        write_candidates(folder / "candidates.extxyz", with_structure)
    write_candidates(folder / "candidates.jsonl", ranked)
    write_report(folder / "report.html", ranked, title, settings, seconds)


def sources(candidates: Sequence[Candidate]) -> list[str]:
    """What was retrieved for a language model to read, each once, and why what was not."""
    said = [c.origin.language for c in candidates if c.origin.language is not None]
    every = [text for use in said for text in (*use.read, use.not_read)]
    return list(dict.fromkeys(filter(None, every)))
