"""One self-contained HTML file about a run: summary, ranked table, rotating crystals, failures, provenance.

It works offline: styles and scripts are inside, and a content security policy forbids everything else, so that no
text of a user or of a file can run as code or fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from nucleate.io import replacing
from nucleate.pipeline.candidate import Candidate
from nucleate.redact import redacted
from nucleate.report import parts as parts
from nucleate.report.charts import duration, histogram, timing_bar
from nucleate.report.scene import elements
from nucleate.report.table import table

PACKAGES = ("nucleate", "torch", "numpy", "pymatgen", "ase", "chgnet", "sevenn", "smact", "moyopy")


def write_report(
    path: str | Path,
    candidates_ranked: Sequence[Candidate],
    request_text: str,
    settings: Mapping[str, Any],
    seconds_by_stage: Mapping[str, float],
) -> Path:
    """Write the report of a run and return its path; raises NucleateError when it cannot be written.

    candidates_ranked: all candidates, best first; the rejected ones are listed apart with their reasons. settings:
    plain JSON values for the provenance (weights, seed, potential, reference, command ...); "understood" (text) is
    shown under the request.
    """
    path = Path(path)
    page = redacted(render(candidates_ranked, request_text, settings, seconds_by_stage))
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def render(
    candidates: Sequence[Candidate],
    request_text: str,
    settings: Mapping[str, Any],
    seconds_by_stage: Mapping[str, float],
) -> str:
    """The page as text (see `write_report`)."""
    living = [c for c in candidates if c.failure is None]
    shown = parts.show(living[: parts.MOST])
    scenes = [s.scene for s in shown if s.scene is not None]
    known = elements(symbol for s in scenes for symbol in s["symbols"])
    scripts = [asset("viewer.js"), asset("report.js")]
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts]
    hashes = " ".join(f"'sha256-{d}'" for d in digests)
    understood = settings.get("understood")
    return Template(asset("report.html")).substitute(
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes}; img-src data:",
        style=asset("report.css"),
        request=escape(request_text) or "unconditional",
        understood=f'<p class="understood">understood as <b>{escape(str(understood))}</b></p>' if understood else "",
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        tiles=parts.tiles(candidates),
        table=table(shown) + _not_shown(len(living) - len(shown)),
        histogram=panel("Energy above the hull", histogram(parts.hull_values(candidates))),
        timing=panel("Time by stage", timing_bar(seconds_by_stage)),
        cards=parts.cards(shown, known),
        failures=parts.failures([c for c in candidates if c.failure is not None]),
        meaning=_meaning(candidates),
        provenance=_provenance(settings, candidates, seconds_by_stage),
        scenes=_json({"elements": known, "scenes": scenes}),
        viewer=scripts[0],
        script=scripts[1],
    )


def _not_shown(n: int) -> str:
    return f'<p class="empty">{n:,} more came through; candidates.jsonl has all of them.</p>' if n else ""


def asset(name: str) -> str:
    """A template, style or script from the folder of assets."""
    return (resources.files("nucleate.report") / "assets" / name).read_text(encoding="utf-8")


def _json(values: Any) -> str:
    """JSON that no HTML parser can take for the end of its script element."""
    text = json.dumps(values, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def panel(title: str, content: str) -> str:
    """A titled box; "" without content. Both are markup."""
    return f'<section class="panel"><h2>{title}</h2>{content}</section>' if content else ""


def _sources(candidates: Sequence[Candidate], name: str) -> list[tuple[str, str]]:
    """Distinct (method, reference) of an energy, in order of appearance."""
    found = (c.energies[name] for c in candidates if name in c.energies)
    return list(dict.fromkeys((e.method, e.reference) for e in found))


def _meaning(candidates: Sequence[Candidate]) -> str:
    sources = _sources(candidates, "e_above_hull") or _sources(candidates, "energy")
    if not sources:
        return "No energies were computed: the order says nothing about stability."
    methods = escape(", ".join(dict.fromkeys(m for m, _ in sources)))
    sets = escape(", ".join(dict.fromkeys(r for _, r in sources if r)))
    text = (
        f"Energies are those of the interatomic potential <b>{methods}</b> at zero temperature, in eV per atom. They "
        "are not results of density functional theory: the potential's error is typically some tens of meV per atom, "
        "and more for chemistry unlike its training data."
    )
    if sets:
        text += (
            " The energy above the hull compares a crystal with the most stable mixture of the phases in the "
            f"reference set <b>{sets}</b>, all computed with the same potential; a phase missing from that set makes "
            "a candidate look more stable than it is. A value at or below zero means that nothing known there is lower."
        )
    return (
        text
        + _second(candidates)
        + _predicted(candidates)
        + (
            " <i>New</i> means that no structure in the set of known ones matched. A low energy does not say that a "
            "crystal can be made; check the best ones with density functional theory first."
        )
    )


def _second(candidates: Sequence[Candidate]) -> str:
    sources = _sources(candidates, "second_e_above_hull")
    if not sources:
        return ""
    methods, sets = (escape(", ".join(dict.fromkeys(x))) for x in zip(*sources, strict=True))
    return (
        f" The best candidates were relaxed again by a second potential, <b>{methods}</b>, and placed on its own hull "
        f"(<b>{sets}</b>): where the two differ much, at least one of them is wrong, and the order by the first means "
        "little."
    )


def _predicted(candidates: Sequence[Candidate]) -> str:
    wanted = [c for c in candidates if c.provenance.get("wanted")]
    if not wanted:
        return ""
    columns = escape(", ".join(dict.fromkeys(column for c in wanted for column in c.provenance["wanted"])))
    by = escape(", ".join(dict.fromkeys(c.provenance["predicted_by"] for c in wanted)))
    return (
        f" What was wanted ({columns}) is predicted for the relaxed crystals by the property network <b>{by}</b>, in "
        "whose data such crystals may not occur. Within steps of 0.1 eV/atom above the hull, the crystals nearer to "
        "the wanted values come first."
    )


def _provenance(settings: Mapping[str, Any], candidates: Sequence[Candidate], seconds: Mapping[str, float]) -> str:
    more = []
    for key, name in (("potential", "energy"), ("hull", "e_above_hull"), ("second", "second_e_above_hull")):
        for method, reference in _sources(candidates, name):
            more.append((f"{key}: method", method))
            if reference:
                more.append((f"{key}: reference set", reference))
    return provenance({k: v for k, v in settings.items() if k != "understood"}, seconds, more)


def provenance(settings: Mapping[str, Any], seconds: Mapping[str, float], more: Sequence[tuple[str, str]] = ()) -> str:
    """Table rows: settings, `more` where they do not name it, time in all, versions of Python and the packages."""
    rows = dict(_flatten(settings))
    for key, text in more:
        rows.setdefault(key, text)
    if seconds:
        rows["time in all"] = duration(sum(seconds.values()))
    rows["Python"] = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    for package in PACKAGES:
        try:
            rows[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "".join(f'<tr><th scope="row">{escape(k)}</th><td>{escape(v)}</td></tr>' for k, v in rows.items())


def _flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for k, v in values.items():
        if isinstance(v, Mapping):
            out += _flatten(v, f"{prefix}{k}.")
        else:
            out.append((f"{prefix}{k}", v if isinstance(v, str) else json.dumps(v, default=str)))
    return out
