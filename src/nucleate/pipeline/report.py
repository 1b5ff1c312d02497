"""One self-contained HTML file about a run: summary, ranked table, rotating crystals, failures, provenance.

It works offline: styles and scripts are inside, and a content security policy forbids everything else, so that no
text of a user or of a file can run as code or fetch anything.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import FAIL, PASS, UNKNOWN, Candidate, Check
from nucleate.pipeline.report_charts import NEAR_HULL, ON_HULL, duration, histogram, hull_hue, timing_bar
from nucleate.pipeline.report_scene import elements, scene

CHECK_SIGNS = {
    "charge": "q",
    "electronegativity": "\u03c7",
    "distance": "d",
    "density": "\u03c1",
    "relaxed": "r",
    "unique": "u",
}
PACKAGES = ("nucleate", "torch", "numpy", "pymatgen", "ase", "chgnet", "smact", "moyopy")
COLUMNS = (
    ("#", "rank", "num"),
    ("Formula", "formula", ""),
    ("Space group", "space group number", ""),
    ("Atoms", "atoms in the cell", "num"),
    ("E<sub>form</sub> <small>eV/atom</small>", "formation energy", "num"),
    ("E<sub>hull</sub> <small>eV/atom</small>", "energy above the hull", "num"),
    ("Novel", "novelty", ""),
    ("Checks", "failed checks", ""),
)


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
    page = render(candidates_ranked, request_text, settings, seconds_by_stage)
    temporary = path.with_name(path.name + ".part")
    try:
        temporary.write_text(page, encoding="utf-8")
        os.replace(temporary, path)
    except OSError as error:
        raise NucleateError(f"cannot write the report {path} ({error.strerror or error})") from None
    return path


def render(
    candidates: Sequence[Candidate],
    request_text: str,
    settings: Mapping[str, Any],
    seconds_by_stage: Mapping[str, float],
) -> str:
    """The page as text (see `write_report`)."""
    ranked = [c for c in candidates if c.failure is None]
    rejected = [c for c in candidates if c.failure is not None]
    scenes = [scene(c.structure) for c in ranked if c.structure is not None]
    known = elements(s for v in scenes for s in v["symbols"])
    scripts = [_asset("viewer.js"), _asset("report.js")]
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(s.encode()).digest()).decode()}'" for s in scripts)
    understood = settings.get("understood")
    return Template(_asset("report.html")).substitute(
        policy=f"default-src 'none'; style-src 'unsafe-inline'; script-src {hashes}; img-src data:",
        style=_asset("report.css"),
        request=escape(request_text) or "unconditional",
        understood=f"<p class='understood'>understood as <b>{escape(str(understood))}</b></p>" if understood else "",
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        tiles=_tiles(candidates),
        table=_table(ranked),
        histogram=_panel("Energy above the hull", histogram(_hull_values(ranked))),
        timing=_panel("Time by stage", timing_bar(seconds_by_stage)),
        cards=_cards(ranked, known),
        failures=_failures(rejected),
        meaning=_meaning(candidates),
        provenance=_provenance(settings, candidates, seconds_by_stage),
        scenes=_json({"elements": known, "scenes": scenes}),
        viewer=scripts[0],
        script=scripts[1],
    )


def _asset(name: str) -> str:
    return (resources.files("nucleate.pipeline") / "assets" / name).read_text(encoding="utf-8")


def _json(values: Any) -> str:
    """JSON that no HTML parser can take for the end of its script element."""
    text = json.dumps(values, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def formula_html(formula: str) -> str:
    """A formula with its counts as subscripts, escaped."""
    return re.sub(r"(?<=[A-Za-z\])])(\d+(?:\.\d+)?)", r"<sub>\1</sub>", escape(formula))


def space_group_html(symbol: str) -> str:
    """A Hermann-Mauguin symbol with bars over rotoinversions and screw axes as subscripts, escaped."""
    text = re.sub(r"_(\d)", r"<sub>\1</sub>", escape(symbol))
    return re.sub(r"-(\d)", r'<span class="bar">\1</span>', text)


def _space_group(candidate: Candidate) -> tuple[int, str]:
    from nucleate.crystal.symmetry import space_group

    if candidate.structure is None:
        return 0, ""
    try:
        return space_group(candidate.structure)
    except NucleateError:
        return 0, "?"


def _verdict(candidate: Candidate, name: str) -> str:
    return candidate.checks[name].verdict if name in candidate.checks else UNKNOWN


def _value(candidate: Candidate, name: str) -> float | None:
    return candidate.energies[name].value if name in candidate.energies else None


def _hull_values(candidates: Sequence[Candidate]) -> list[tuple[str, float]]:
    """(formula, e_above_hull) of the candidates that are relaxed, or were never asked to be."""
    pairs = ((c, _value(c, "e_above_hull")) for c in candidates if _verdict(c, "relaxed") != FAIL)
    return [(c.formula, v) for c, v in pairs if v is not None]


def _tiles(candidates: Sequence[Candidate]) -> str:
    generated = [c for c in candidates if c.structure is not None]
    passed = [
        c
        for c in generated
        if c.failure is None
        and not any(_verdict(c, n) == FAIL for n in ("charge", "electronegativity", "distance", "density"))
    ]
    alive = [c for c in generated if c.failure is None]
    hull = [v for _, v in _hull_values(alive)]
    tiles = (
        ("generated", len(generated), f"of {len(candidates)} asked for"),
        ("passed the checks", len(passed), "no check of chemistry or geometry failed"),
        ("relaxed", sum(_verdict(c, "relaxed") == PASS for c in alive), "to the force threshold"),
        ("near the hull", sum(v <= NEAR_HULL for v in hull), f"at most {NEAR_HULL:g} eV/atom above"),
        ("on the hull", sum(v <= ON_HULL for v in hull), f"at most {ON_HULL:g} eV/atom above"),
        ("novel", sum(_verdict(c, "novel") == PASS for c in alive), "not among the known structures"),
    )
    return "".join(f"<li><b>{n}</b><span>{name}</span><small>{note}</small></li>" for name, n, note in tiles)


def _mark(name: str, check: Check) -> str:
    words = f"{name}: {check.verdict}" + (f" ({check.reason})" if check.reason else "")
    sign = CHECK_SIGNS.get(name, name[:1])
    kind = check.verdict if check.verdict in (PASS, FAIL) else UNKNOWN
    return f'<span class="check {kind}" role="img" title="{escape(words)}" aria-label="{escape(words)}">{escape(sign)}</span>'


def _marks(candidate: Candidate) -> str:
    names = [n for n in CHECK_SIGNS if n in candidate.checks]
    names += [n for n in candidate.checks if n not in CHECK_SIGNS and n != "novel"]
    return "".join(_mark(n, candidate.checks[n]) for n in names)


def _energy_cell(candidate: Candidate, name: str, coloured: bool = False) -> str:
    energy = candidate.energies.get(name)
    if energy is None:
        return '<td class="num" data-v=""><span class="none">&ndash;</span></td>'
    tip = escape(energy.method + (f", against {energy.reference}" if energy.reference else ""))
    dot = f'<i class="dot" style="--hue:{hull_hue(energy.value)}"></i>' if coloured else ""
    return f'<td class="num" data-v="{energy.value!r}" title="{tip}">{dot}{_signed(energy.value)}</td>'


def _signed(value: float) -> str:
    return f"{value:.3f}".replace("-", "\u2212") if round(value, 3) else "0.000"


def _novel_cell(candidate: Candidate) -> str:
    check = candidate.checks.get("novel", Check(UNKNOWN))
    word = {PASS: "new", FAIL: "known"}.get(check.verdict, "unknown")
    return f'<td data-v="{word}"><span class="tag {word}" title="{escape(check.reason)}">{word}</span></td>'


def _table(ranked: Sequence[Candidate]) -> str:
    if not ranked:
        return '<p class="empty">No candidate came through; the reasons are below.</p>'
    heads = "".join(
        f'<th scope="col" class="{kind}"{" aria-sort=ascending" if i == 0 else ""}>'
        f'<button type="button" title="Sort by {words}">{title}</button></th>'
        for i, (title, words, kind) in enumerate(COLUMNS)
    )
    rows = []
    for n, c in enumerate(ranked, start=1):
        number, symbol = _space_group(c)
        name = formula_html(c.formula) if c.structure is not None else '<span class="none">no structure</span>'
        link = f'<a href="#view-{n}">{name}</a>' if c.structure is not None else name
        failed = sum(v.verdict == FAIL for v in c.checks.values())
        words = " ".join((c.formula, c.id, symbol, str(number), *(e.symbol for e in _elements(c)))).lower()
        novel = {PASS: " new", FAIL: " known"}.get(_verdict(c, "novel"), "")
        group = f"{space_group_html(symbol)} <small>{number}</small>" if number else '<span class="none">&ndash;</span>'
        atoms = len(c.structure) if c.structure is not None else ""
        rows.append(
            f'<tr data-n="{n}" data-words="{escape(words + novel)}"><td class="num" data-v="{n}">{n}</td>'
            f'<th scope="row" data-v="{escape(c.formula)}">{link}</th><td data-v="{number or ""}">{group}</td>'
            f'<td class="num" data-v="{atoms}">{atoms}</td>{_energy_cell(c, "e_form")}'
            f"{_energy_cell(c, 'e_above_hull', coloured=True)}{_novel_cell(c)}"
            f'<td class="checks" data-v="{failed}">{_marks(c)}</td><td>{_cif_link(c)}</td></tr>'
        )
    signs = " ".join(f"<span><i>{sign}</i> {name}</span>" for name, sign in CHECK_SIGNS.items())
    return (
        '<div class="tools"><input id="filter" type="search" placeholder="Filter: element, formula, space group, new" '
        'aria-label="Filter the candidates" autocomplete="off"><span id="shown" role="status" aria-live="polite"></span>'
        f'</div><div class="scroll" tabindex="0" role="region" aria-label="Ranked candidates"><table id="ranking">'
        f'<thead><tr>{heads}<th scope="col"><span>File</span></th></tr></thead><tbody>{"".join(rows)}</tbody></table></div>'
        f'<p class="signs"><span class="check pass">p</span> pass <span class="check fail">f</span> fail '
        f'<span class="check unknown">?</span> unknown {signs}</p>'
    )


def _elements(candidate: Candidate) -> list[Any]:
    return candidate.structure.composition.elements if candidate.structure is not None else []


def _cif_link(candidate: Candidate) -> str:
    if candidate.structure is None:
        return ""
    text = f"# {candidate.id}\n{candidate.structure.to(fmt='cif')}".replace("\r", "")
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", f"{candidate.formula}-{candidate.id}")
    uri = "data:chemical/x-cif;charset=utf-8," + quote(text)
    return f'<a class="file" download="{name}.cif" href="{uri}" aria-label="Download {escape(candidate.formula)} as CIF">CIF</a>'


def _cards(ranked: Sequence[Candidate], known: Mapping[str, Mapping[str, Any]]) -> str:
    cards = []
    for n, c in enumerate(ranked, start=1):
        if c.structure is None:
            continue
        number, symbol = _space_group(c)
        lattice = c.structure.lattice
        counts: dict[str, int] = {}
        for s in scene_symbols(c):
            counts[s] = counts.get(s, 0) + 1
        legend = "".join(
            f'<li><i style="--colour:{known[s]["colour"]}"></i>{escape(s)}<small>{m}</small></li>'
            for s, m in counts.items()
        )
        hull = _value(c, "e_above_hull")
        energy = "" if hull is None else (
            f'<span class="pill" style="--hue:{hull_hue(hull)}">{_signed(hull)} <small>eV/atom above hull</small></span>'
        )  # fmt: skip
        failed = [f"{k}: {v.reason}" if v.reason else k for k, v in c.checks.items() if v.verdict == FAIL and k != "novel"]
        warnings = f'<p class="warn">Failed {escape("; ".join(failed))}</p>' if failed else ""
        decomposition = c.provenance.get("decomposition")
        parts = f"<p>Decomposes to {escape(str(decomposition))}</p>" if decomposition else ""
        a, b, d = lattice.abc
        cell = f"{a:.3f} {b:.3f} {d:.3f} \u00c5 &nbsp; {lattice.alpha:.1f} {lattice.beta:.1f} {lattice.gamma:.1f}\u00b0"
        buttons = "".join(
            f'<button type="button" data-do="{do}" title="{tip}"{pressed}>{sign}</button>'
            for do, sign, tip, pressed in (
                ("repeat", "2&times;2&times;2", "Show eight cells", ' aria-pressed="false"'),
                ("flat", "flat", "Orthographic instead of perspective", ' aria-pressed="false"'),
                ("reset", "reset", "First orientation again", ""),
                ("large", "large", "Larger view", ' aria-pressed="false"'),
            )
        )
        label = f"3D view of {c.formula}, {symbol}: drag or arrow keys turn it, wheel or plus and minus zoom"
        cards.append(
            f'<article class="card" id="view-{n}"><div class="stage"><canvas data-scene="{len(cards)}" tabindex="0" '
            f'role="img" aria-label="{escape(label)}"></canvas><span class="rank">{n}</span>'
            f'<div class="buttons">{buttons}</div><ul class="legend">{legend}</ul></div>'
            f"<h3>{formula_html(c.formula)} <small>{space_group_html(symbol)}</small>{energy}</h3>"
            f'<p class="cell">{cell}</p>{parts}{warnings}</article>'
        )
    if not cards:
        return ""
    hint = "Drag to turn, click and use the wheel to zoom, double-click to reset; arrow keys, + and &minus; work as well."
    return f'<section><h2>Structures</h2><p class="hint">{hint}</p><div class="cards">{"".join(cards)}</div></section>'


def scene_symbols(candidate: Candidate) -> list[str]:
    """Element of each site of the candidate, as its scene has them."""
    return scene(candidate.structure)["symbols"] if candidate.structure is not None else []


def _panel(title: str, content: str) -> str:
    return f'<section class="panel"><h2>{title}</h2>{content}</section>' if content else ""


def _failures(rejected: Sequence[Candidate]) -> str:
    if not rejected:
        return ""
    rows = "".join(
        f"<tr><th scope='row'>{escape(c.id)}</th><td>{formula_html(c.formula) or '&ndash;'}</td>"
        f"<td>{escape(c.failure or '')}</td></tr>"
        for c in rejected
    )
    opened = " open" if len(rejected) <= 12 else ""
    return (
        f"<section><details{opened}><summary>Rejected candidates: {len(rejected)}</summary><div class='scroll'><table>"
        "<thead><tr><th scope='col'>Candidate</th><th scope='col'>Formula</th><th scope='col'>Stage and reason</th></tr>"
        f"</thead><tbody>{rows}</tbody></table></div></details></section>"
    )


def _sources(candidates: Sequence[Candidate], name: str) -> list[tuple[str, str]]:
    """Distinct (method, reference) of an energy, in order of appearance."""
    return list(dict.fromkeys((c.energies[name].method, c.energies[name].reference) for c in candidates if name in c.energies))


def _meaning(candidates: Sequence[Candidate]) -> str:
    sources = _sources(candidates, "e_above_hull") or _sources(candidates, "energy")
    if not sources:
        return "No energies were computed: the order says nothing about stability."
    methods = escape(", ".join(dict.fromkeys(m for m, _ in sources)))
    sets = escape(", ".join(dict.fromkeys(r for _, r in sources if r)))
    text = (
        f"Energies are those of the interatomic potential <b>{methods}</b> at zero temperature, in eV per atom. They are "
        "not results of density functional theory: the potential's error is typically some tens of meV per atom, and "
        "more for chemistry unlike its training data."
    )
    if sets:
        text += (
            f" The energy above the hull compares a crystal with the most stable mixture of the phases in the reference "
            f"set <b>{sets}</b>, all computed with the same potential; a phase missing from that set makes a candidate "
            "look more stable than it is. A value at or below zero means that nothing known there is lower."
        )
    return text + (
        " <i>New</i> means that no structure in the set of known ones matched. A low energy does not say that a crystal "
        "can be made; check the best ones with density functional theory first."
    )


def _provenance(settings: Mapping[str, Any], candidates: Sequence[Candidate], seconds: Mapping[str, float]) -> str:
    rows = dict(_flatten({k: v for k, v in settings.items() if k != "understood"}))
    for key, name in (("potential", "energy"), ("hull", "e_above_hull")):
        for method, reference in _sources(candidates, name):
            rows.setdefault(f"{key}: method", method)
            if reference:
                rows.setdefault(f"{key}: reference set", reference)
    if seconds:
        rows["time in all"] = duration(sum(seconds.values()))
    rows["Python"] = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    for package in PACKAGES:
        try:
            rows[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return "".join(f"<tr><th scope='row'>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in rows.items())


def _flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for k, v in values.items():
        if isinstance(v, Mapping):
            out += _flatten(v, f"{prefix}{k}.")
        else:
            out.append((f"{prefix}{k}", v if isinstance(v, str) else json.dumps(v, default=str)))
    return out
