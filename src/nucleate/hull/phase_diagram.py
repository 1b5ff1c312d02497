"""Phase diagrams of two to four elements as pictures: stable phases, phases above the hull, and candidates."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nucleate.errors import NucleateError
from nucleate.hull.distances import ON_HULL, distance_to_hull, formation_energy
from nucleate.hull.reference import ReferenceSet
from nucleate.io import replacing
from nucleate.pipeline.candidate import Candidate, Energy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DRAWN_SIZES = (2, 3, 4)  # numbers of elements for which there are pictures
FORMATS = (".svg", ".png", ".pdf")
INK, LINE, CANDIDATE = "#1b2a41", "#8d99ae", "#d1495b"
MAX_ABOVE = 0.1  # eV/atom: phases and candidates higher above the hull are not drawn
MAX_LABELS = 40  # stable phases that get their name
# Positions that are tried for a name: distances from its dot in points, and angles in degrees
RADII, TURNS = (11, 20, 32, 48, 66, 90), (0, 30, -30, 60, -60, 100, -100, 140, -140, 180)
# Positions of the pure elements: a triangle, and a tetrahedron seen a little from above
CORNERS = {
    3: np.array([[0.0, 0.0], [1.0, 0.0], [0.5, math.sqrt(0.75)]]),
    4: np.array([[0.0, 0.16], [1.0, 0.24], [0.44, -0.04], [0.5, math.sqrt(0.75)]]),
}


@dataclass(frozen=True)
class Phase:
    """A point of the picture. name: its formula. fractions: atomic fractions of the elements, in the order of the
    picture. e_form, above (e_above_hull): eV/atom."""

    name: str
    fractions: tuple[float, ...]
    e_form: float
    above: float

    @property
    def stable(self) -> bool:
        """Whether it is on the hull."""
        return self.above <= ON_HULL


def known_phases(elements: Sequence[str], reference: ReferenceSet) -> list[Phase]:
    """The lowest known crystal of each composition in a chemical system."""
    rows = [i for i in reference.of_system(elements) if i in reference.lowest]
    return [
        _phase(reference.formulas[i], dict(reference.keys[i]), float(reference.energies[i]), elements, reference)
        for i in rows
    ]


def candidate_phases(candidates: Iterable[Candidate], elements: Sequence[str], reference: ReferenceSet) -> list[Phase]:
    """The lowest candidate of each formula in the chemical system, of those that were not rejected and have an
    e_above_hull. Raises NucleateError for energies of another method than the reference's."""
    lowest: dict[str, Phase] = {}
    for c in candidates:
        above = c.energies.get("e_above_hull")
        if c.failure is not None or c.structure is None or above is None:
            continue
        amounts = c.structure.composition.element_composition.get_el_amt_dict()
        if not set(amounts) <= set(elements):
            continue
        reference.require_method(above.method)
        fractions = tuple(amounts.get(e, 0.0) / sum(amounts.values()) for e in elements)
        phase = Phase(c.formula, fractions, c.energies["e_form"].value, above.value)
        if c.formula not in lowest or phase.above < lowest[c.formula].above:
            lowest[c.formula] = phase
    return list(lowest.values())


def _phase(name: str, counts: dict[str, int], value: float, elements: Sequence[str], reference: ReferenceSet) -> Phase:
    energy = Energy(value, reference.method)
    fractions = tuple(counts.get(e, 0) / sum(counts.values()) for e in elements)
    above, _ = distance_to_hull(counts, energy, reference)
    return Phase(name, fractions, formation_energy(counts, energy, reference), above)


def draw_phase_diagram(
    path: str | Path, elements: Sequence[str], reference: ReferenceSet, candidates: Sequence[Phase] = ()
) -> list[Phase]:
    """Write the picture (.svg, .png or .pdf) and return the known phases of the chemical system.

    Two elements: formation energy over composition. Three: the triangle with its tie lines. Four: the tetrahedron with
    its tie lines, seen from the side. Raises NucleateError for other numbers of elements, another ending, or an element
    that has no energy in the reference.
    """
    kind = Path(path).suffix.lower()[1:]
    if f".{kind}" not in FORMATS:
        raise NucleateError(f"a phase diagram is written as {', '.join(FORMATS)}, not '{Path(path).name}'")
    if len(elements) not in DRAWN_SIZES:
        raise NucleateError(f"a phase diagram is drawn for 2, 3 or 4 elements, not {len(elements)}")
    if missing := sorted(set(elements) - reference.elements):
        raise NucleateError(f"reference '{reference.name}' has no energy of elemental {', '.join(missing)}")
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    phases = known_phases(elements, reference)
    figure = Figure(figsize=(8, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    (_draw_binary if len(elements) == 2 else _draw_simplex)(figure, ax, elements, phases, candidates)
    title = f"{'-'.join(elements)}: {reference.method}, reference {reference.name}"
    ax.set_title(title, fontsize=9, color=INK, loc="left")
    with (
        replacing(path) as temporary,
        rc_context({"svg.hashsalt": "nucleate"}),
    ):  # the same picture gives the same bytes
        figure.savefig(temporary, format=kind, dpi=200, metadata={"Date": None} if kind == "svg" else None)
    return phases


def _draw_binary(
    figure: Figure, ax: Axes, elements: Sequence[str], phases: Sequence[Phase], candidates: Sequence[Phase]
) -> None:
    stable = sorted((p for p in phases if p.stable), key=lambda p: p.fractions[1])
    ax.plot([p.fractions[1] for p in stable], [p.e_form for p in stable], color=LINE, lw=1.2, zorder=1)
    drawn = [p for p in phases if not p.stable and p.above <= MAX_ABOVE]
    ax.scatter([p.fractions[1] for p in drawn], [p.e_form for p in drawn], s=18, fc="white", ec=LINE, zorder=2)
    ax.scatter([p.fractions[1] for p in stable], [p.e_form for p in stable], s=34, color=INK, zorder=3)
    shown = [p for p in candidates if p.above <= MAX_ABOVE]
    ax.scatter([p.fractions[1] for p in shown], [p.e_form for p in shown], s=34, color=CANDIDATE, marker="D", zorder=4)
    ax.set_xlabel(f"atomic fraction of {elements[1]}")
    ax.set_ylabel("formation energy (eV/atom)")
    ax.axhline(0, color=LINE, lw=0.6, ls=":")
    ax.margins(x=0.08, y=0.12)
    ax.spines[["top", "right"]].set_visible(False)
    points = [(p.fractions[1], p.e_form) for p in [*stable, *shown]]
    _legend(ax, drawn, candidates, shown)
    _label(figure, ax, points, [*stable, *shown], len(stable), prefer=(0, -1))


def _draw_simplex(
    figure: Figure, ax: Axes, elements: Sequence[str], phases: Sequence[Phase], candidates: Sequence[Phase]
) -> None:
    stable, corners = [p for p in phases if p.stable], CORNERS[len(elements)]
    for a, b in _tie_lines(stable):
        ends = np.array([stable[a].fractions, stable[b].fractions]) @ corners
        ax.plot(*ends.T, color=LINE, lw=0.9 if len(elements) == 3 else 0.4, zorder=1)
    for a, b in itertools.combinations(range(len(elements)), 2) if len(elements) == 4 else ():
        ax.plot(*corners[[a, b]].T, color=INK, lw=1.1, zorder=1)
    drawn = [p for p in phases if not p.stable and p.above <= MAX_ABOVE]
    if drawn:
        at = np.array([p.fractions for p in drawn]) @ corners
        height = [1000 * p.above for p in drawn]
        dots = ax.scatter(
            at[:, 0], at[:, 1], s=20, c=height, cmap="viridis_r", vmin=0, vmax=1000 * MAX_ABOVE, lw=0, zorder=2
        )
        bar = figure.colorbar(dots, ax=ax, shrink=0.5, pad=0.01)
        bar.set_label("above the hull (meV/atom)", fontsize=8)
        bar.ax.tick_params(labelsize=7)
    shown = [p for p in candidates if p.above <= MAX_ABOVE]
    points = [(float(x), float(y)) for x, y in (np.asarray(p.fractions) @ corners for p in [*stable, *shown])]
    x, y = np.array(points).T
    ax.scatter(x[: len(stable)], y[: len(stable)], s=34, color=INK, zorder=3)
    ax.scatter(x[len(stable) :], y[len(stable) :], s=34, color=CANDIDATE, marker="D", zorder=4)
    ax.set_aspect("equal")
    ax.axis("off")
    ax.set_xlim(-0.12, 1.12)
    ax.set_ylim(-0.08 if len(elements) == 3 else -0.12, 0.96)
    _legend(ax, drawn, candidates, shown)
    _label(figure, ax, points, [*stable, *shown], len(stable))


def _tie_lines(stable: Sequence[Phase]) -> set[tuple[int, int]]:
    """Pairs of stable phases that can coexist: the edges of the lower hull of (composition, energy), as indices."""
    from scipy.spatial import ConvexHull, QhullError

    points = np.array([(*p.fractions[:-1], p.e_form) for p in stable])
    if (np.abs(points[:, -1]) < 1e-9).all():  # without compounds the hull is flat
        return set(itertools.combinations(range(len(stable)), 2))
    try:
        hull = ConvexHull(points)
    except QhullError as error:
        raise NucleateError(f"the hull cannot be drawn: {str(error).splitlines()[0]}") from None
    lower = hull.simplices[hull.equations[:, -2] < -1e-9]
    return {(min(a, b), max(a, b)) for face in lower.tolist() for a, b in itertools.combinations(face, 2)}


def _legend(ax: Axes, drawn: Sequence[Phase], candidates: Sequence[Phase], shown: Sequence[Phase]) -> None:
    from matplotlib.lines import Line2D

    def dot(label: str, **style: Any) -> Line2D:
        return Line2D([], [], ls="", ms=6, label=label, **style)

    handles = [dot("stable", marker="o", color=INK)]
    if drawn:
        colour = {"mfc": "white", "mec": LINE} if len(drawn[0].fractions) == 2 else {"color": "#5ec962"}
        handles.append(dot(f"known, up to {1000 * MAX_ABOVE:.0f} meV/atom above", marker="o", **colour))
    if candidates:
        higher = len(candidates) - len(shown)
        text = f"candidates{f' ({higher} higher ones not drawn)' if higher else ''}"
        handles.append(dot(text, marker="D", color=CANDIDATE))
    ax.legend(handles=handles, loc="upper left", fontsize=8, frameon=False)


def _label(
    figure: Figure,
    ax: Axes,
    points: Sequence[tuple[float, float]],
    phases: Sequence[Phase],
    stable: int,
    prefer: tuple[float, float] | None = None,
) -> None:
    """Write names beside the dots, each where it covers no other name and no dot, with a line to a dot that is far
    away.

    stable: how many of the phases, from the first, are known and stable. prefer: the direction that is tried first;
    default: away from the centre of all dots.
    """
    from matplotlib.patheffects import Normal, Stroke

    figure.draw_without_rendering()  # settles the layout, and with it the positions of the dots
    at = ax.transData.transform(np.asarray(points, float))
    middle = at.mean(axis=0)
    scale = figure.dpi / 72
    taken = [(x - 4 * scale, y - 4 * scale, x + 4 * scale, y + 4 * scale) for x, y in at]
    for k, phase in enumerate(phases[: stable + MAX_LABELS]):
        if k < stable and stable > MAX_LABELS and max(phase.fractions) < 1 and k % math.ceil(stable / MAX_LABELS):
            continue
        away = at[k] - middle
        if prefer is not None:
            away = np.asarray(prefer, float) if max(phase.fractions) < 1 else np.array([0.0, 1.0])
        away = away / max(float(np.linalg.norm(away)), 1e-9)
        size = 8.5 if max(phase.fractions) < 1 else 11
        wide, high = 0.62 * size * len(phase.name) * scale, 1.25 * size * scale
        for radius, turn in itertools.product(RADII, TURNS):
            angle = math.atan2(away[1], away[0]) + math.radians(turn)
            x = at[k][0] + math.cos(angle) * (radius * scale + wide / 2)
            y = at[k][1] + math.sin(angle) * (radius * scale + high / 4)
            box = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
            if not any(box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3] for t in taken):
                break
        else:
            continue  # there is no room for the name
        taken.append(box)
        line = {"arrowstyle": "-", "color": LINE, "lw": 0.6, "shrinkA": 0, "shrinkB": 2} if radius > 11 else None
        ax.annotate(
            re.sub(r"(\d+)", r"$_{\1}$", phase.name),
            points[k],
            xytext=((x - at[k][0]) / scale, (y - at[k][1]) / scale),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            color=INK if k < stable else CANDIDATE,
            arrowprops=line,
            path_effects=[Stroke(linewidth=2.5, foreground="white"), Normal()],
        )
