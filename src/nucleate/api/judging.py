"""Functions that judge crystals: relax, e_above_hull, check, screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from nucleate.api.given import crystals, crystals_or_formulas
from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import FAIL, Candidate
from nucleate.pipeline.collection import Candidates

if TYPE_CHECKING:
    from nucleate.api.given import Crystal, Crystals
    from nucleate.pipeline.events import Watch
    from nucleate.pipeline.run import Executor
    from nucleate.settings.screen import ScreenSettings
    from nucleate.tasks.screen import ScreenResult


class HullEnergy(float):
    """Energy above the hull of known crystals, eV/atom: a float with attributes that say how it was found.

    e_form: formation energy, eV/atom. decomposition: the known phases below the crystal, "0.5 Fe2O3 + 0.5 Li2O".
    method: of the energies. reference: the set of known crystals. candidate: the crystal as it was judged, with its
    structure. reason: why the number is not known (then it is nan) or doubtful; "" where all is well.
    """

    e_form: float
    decomposition: str
    method: str
    reference: str
    candidate: Candidate
    reason: str

    def __new__(cls, candidate: Candidate, decomposition: str = "", reason: str = "") -> HullEnergy:
        energy = candidate.energies.get("e_above_hull")
        out = super().__new__(cls, energy.value if energy is not None else math.nan)
        out.e_form = candidate.e_form if candidate.e_form is not None else math.nan
        out.decomposition, out.reason, out.candidate = decomposition, reason, candidate
        out.method, out.reference = (energy.method, energy.reference) if energy is not None else ("", "")
        return out

    def __repr__(self) -> str:
        if math.isnan(self):
            return f"nan eV/atom above the hull: {self.reason}"
        doubt = f"; doubtful: {self.reason}" if self.reason else ""
        phases = f", over {self.decomposition}" if self.decomposition else ""
        return f"{float(self):.4f} eV/atom above the hull{phases} ({self.method}, reference {self.reference}){doubt}"


@overload
def relax(  # type: ignore[overload-overlap]
    given: Crystal,
    *,
    potential: str = ...,
    fmax: float = ...,
    steps: int = ...,
    cell: bool | None = ...,
    workers: int = ...,
) -> Candidate: ...
@overload
def relax(
    given: Sequence[Crystal], *, potential: str = ..., fmax: float = ..., steps: int = ..., cell: bool | None = ...,
    workers: int = ...,
) -> Candidates: ...  # fmt: skip
def relax(
    given: Crystals,
    *,
    potential: str = "chgnet",
    fmax: float = 0.05,
    steps: int = 300,
    cell: bool | None = None,
    workers: int = 1,
) -> Candidate | Candidates:
    """Relax one crystal or several with an interatomic potential.

    given: a pymatgen Structure, ASE atoms, a Candidate or the path of a file; or a list of these. potential: "chgnet",
    "sevennet", "mace:FILE", "matgl:FOLDER" or "ase:PACKAGE.MODULE:CALLABLE". fmax: largest force left on an atom,
    eV/angstrom. steps: of the optimiser at most. cell: whether the cell relaxes as well; None: unless atoms are fixed
    (selective dynamics of pymatgen, FixAtoms of ASE), which always stay in place. workers: processes for several
    crystals; 0 takes one for each core.

    Returns a Candidate, or Candidates for a list, with `.structure`, `.energy_per_atom` (eV/atom), `.converged`,
    `.to_ase()`, `.to_entry()`. One that stops at the step limit is not converged. Raises NucleateError where a single
    crystal cannot be relaxed; among several it has the reason in `.failure`.

    Example:
        >>> import nucleate
        >>> from ase.build import bulk
        >>> relaxed = nucleate.relax(bulk("Cu", a=3.8), potential="ase:ase.calculators.emt:EMT")
        >>> relaxed.converged, round(relaxed.structure.lattice.a * 2**0.5, 2)
        (True, 3.59)
        >>> relaxed.to_ase().get_chemical_formula()
        'Cu'
    """
    from nucleate.settings import RelaxSettings
    from nucleate.stages.relax import RelaxStage

    found, one = crystals(given)
    stage = RelaxStage(RelaxSettings(potential=potential, fmax=fmax, max_steps=steps, cell=cell))
    done = _run([_fresh(c) for c in found], [stage], workers)
    if one:
        return _or_raise(done[0])
    return Candidates(done)


@overload
def e_above_hull(  # type: ignore[overload-overlap]
    given: Crystal, *, potential: str = ..., reference: str = ..., relaxed: bool = ..., workers: int = ...
) -> HullEnergy: ...
@overload
def e_above_hull(
    given: Sequence[Crystal], *, potential: str = ..., reference: str = ..., relaxed: bool = ..., workers: int = ...
) -> list[HullEnergy]: ...
def e_above_hull(
    given: Crystals,
    *,
    potential: str = "chgnet",
    reference: str = "chgnet-mp",
    relaxed: bool = False,
    workers: int = 1,
) -> HullEnergy | list[HullEnergy]:
    """Energy above the convex hull of known crystals, in eV/atom, of one crystal or several.

    given: as for `relax`. The crystal is relaxed first; relaxed: True takes it as it is (a single point). A Candidate
    that has an energy by the method of the reference keeps it. reference: energies of known crystals by the same
    potential: a shipped set ("chgnet-mp", "sevennet-mp"), a file or a run folder; a negative value means lower than
    everything known there.

    Returns a number with `.decomposition`, `.e_form`, `.method`, `.reference`, `.candidate` and `.reason`; a list of
    them for a list. Raises NucleateError where it cannot be determined for a single crystal; among several the
    number is nan and has the reason.

    Example:
        >>> import nucleate
        >>> from pymatgen.core import Lattice, Structure
        >>> salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        >>> height = nucleate.e_above_hull(salt, relaxed=True)
        >>> abs(height) < 0.02, height.decomposition, height.reference
        (True, 'NaCl', 'chgnet-mp')
    """
    from nucleate.hull.load import load_reference
    from nucleate.settings import RelaxSettings
    from nucleate.stages.hull import HullStage
    from nucleate.stages.relax import RelaxStage

    found, one = crystals(given)
    hull = HullStage(reference)
    method = load_reference(reference).method
    have = [c for c in found if "energy" in c.energies and c.energies["energy"].method == method and c.failure is None]
    kept = {c.id: c for c in have}
    todo = [_fresh(c) for c in found if c.id not in kept]
    settings = RelaxSettings(potential=potential, max_steps=0 if relaxed else RelaxSettings().max_steps)
    done = {c.id: c for c in [*kept.values(), *_run(todo, [RelaxStage(settings)], workers)]}
    placed = []
    for candidate in (done[c.id] for c in found):
        result = candidate
        if candidate.failure is None:
            (result,) = hull([candidate])
        placed.append(_height(result, relaxed or candidate.id in kept))
    if one and math.isnan(placed[0]):
        raise NucleateError(f"the energy above the hull of {found[0].id} is not known: {placed[0].reason}")
    return placed[0] if one else placed


def _height(candidate: Candidate, as_given: bool) -> HullEnergy:
    if candidate.failure is not None:
        return HullEnergy(candidate, reason=candidate.failure.reason)
    doubt = candidate.checks["hull"].reason if "hull" in candidate.checks else ""
    if not doubt and not as_given and candidate.checks["relaxed"].verdict == FAIL:
        doubt = f"not relaxed ({candidate.checks['relaxed'].reason})"
    return HullEnergy(candidate, candidate.hull.decomposition if candidate.hull else "", doubt)


@overload
def check(given: Crystal, *, states: str = ...) -> Candidate: ...  # type: ignore[overload-overlap]
@overload
def check(given: Sequence[Crystal], *, states: str = ...) -> Candidates: ...
def check(given: Crystals, *, states: str = "icsd24") -> Candidate | Candidates:
    """Check formulas and crystals: charge balance, electronegativity, oxidation states; of crystals also volume,
    density and the shortest distance.

    given: a formula, or a crystal as for `relax`; or a list of these. states: the list of oxidation states, "icsd24",
    "smact14" or "icsd24-3".

    Returns a Candidate, or Candidates for a list, whose `.checks` are name -> Verdict: `.verdict` is "pass", "fail" or
    "unknown", never a guess, and `.reason` says why.

    Example:
        >>> import nucleate
        >>> nucleate.check("NaCl2").checks["charge"].verdict
        'fail'
        >>> [c.checks["charge"].verdict for c in nucleate.check(["NaCl", "Fe3O4"])]
        ['pass', 'pass']
    """
    from nucleate.chem.states import require_state_set
    from nucleate.stages.check import check_candidate
    from nucleate.stages.chemistry import with_oxidation

    require_state_set(states)
    found, one = crystals_or_formulas(given)
    done = Candidates(with_oxidation([c if c.failure else check_candidate(c, states) for c in found]))
    return done[0] if one else done


def screen(
    given: Crystals,
    out: str | Path | None = None,
    settings: ScreenSettings | None = None,
    *,
    executor: Executor | None = None,
    watch: Watch | None = None,
    overwrite: bool = False,
    **options: Any,
) -> ScreenResult:
    """Judge crystals that were made elsewhere: check, relax, hull, novelty, a second potential on the best, rank.

    given: crystals as for `relax`, files, folders or zip archives of them. out: the run folder, with a report, CIFs and
    a database as `design` writes; None writes nothing. options: by the names of the command line, such as best=20,
    potential="sevennet", known="mp-20", second="none", relax_steps=100. settings: all settings at once; options change
    single ones. executor: how work is spread over processes, by default over all cores. overwrite: replace a run in the
    folder; an interrupted one is finished by `resume(out)`.

    Returns a ScreenResult: `.to_frame()` is the ranked table, `.candidates` are the best, `.all` holds every one,
    rejected ones with their reasons.

    Example:
        >>> import nucleate
        >>> from pymatgen.core import Lattice, Structure
        >>> salt = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.7), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        >>> result = nucleate.screen([salt], second="none")
        >>> result.to_frame()[["formula", "novel"]].values.tolist()
        [['NaCl', 'no']]
    """
    from nucleate.settings.screen import ScreenSettings
    from nucleate.tasks.screen import screen_candidates

    found, _ = crystals(given)
    title = str(Path(given).name) if isinstance(given, str | Path) else f"{len(found):,} crystals"
    chosen = (settings or ScreenSettings()).replaced(**options)
    return screen_candidates(
        found, out, chosen, title=title, executor=executor, watch=watch, overwrite=overwrite
    )  # fmt: skip


def _fresh(candidate: Candidate) -> Candidate:
    from nucleate.stages.reset import without_relaxation

    return candidate if candidate.failure else without_relaxation(candidate)


def _run(candidates: Sequence[Candidate], stages: Sequence, workers: int) -> list[Candidate]:
    from nucleate.engine.registry import get_executor
    from nucleate.pipeline.run import NoStore, run_stages

    return run_stages(candidates, stages, get_executor(workers or None), NoStore())


def _or_raise(candidate: Candidate) -> Candidate:
    if candidate.failure is not None:
        raise NucleateError(f"{candidate.id}: {candidate.failure.reason}", code=candidate.failure.code)
    return candidate
