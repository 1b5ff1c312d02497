"""Functions that make crystals: generate, predict, design, substitute, order."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nucleate.api.given import crystals, is_structure
from nucleate.chem.formula import formula_text
from nucleate.errors import NucleateError
from nucleate.pipeline.collection import Candidates

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from nucleate.api.given import Crystals
    from nucleate.pipeline.events import Watch
    from nucleate.pipeline.run import Executor
    from nucleate.request.request import Request
    from nucleate.settings import DesignSettings, PredictSettings
    from nucleate.tasks.design import DesignResult
    from nucleate.tasks.substitute import Swaps


# arguments of `parse_request` besides the text; all other names are those of settings
WISHES = (
    "elements", "num_atoms", "properties", "contains", "exclude", "num_elements", "space_group", "sites"
)  # fmt: skip


def generate(
    request: str | Request = "anything",
    n: int | None = None,
    *,
    seed: int = 0,
    settings: DesignSettings | None = None,
    watch: Watch | None = None,
    **options: Any,
) -> Candidates:
    """Generate crystals with a shipped model or your own. They are neither checked nor relaxed.

    request: a formula ("SrTiO3"), a chemical system ("Li-Fe-O"), plain words or "anything". n: number of crystals (5
    where the request does not say). seed: the same seed gives the same crystals. options: by the names of the command
    line, such as steps=20, weights="mp20-csp", num_atoms=10, elements="Li,Fe,O", properties=["band_gap=1.5"],
    space_group="Pnma". settings: all settings at once; options change single ones.

    Returns Candidates. Raises NucleateError for a request that cannot be met.

    Example:
        >>> import nucleate
        >>> made = nucleate.generate("SrTiO3", n=2, seed=0, steps=5)  # few steps: a quick look
        >>> [c.formula for c in made], sorted(made.structures[0].composition.as_dict())
        (['SrTiO3', 'SrTiO3'], ['O', 'Sr', 'Ti'])
    """
    from nucleate.tasks.design import generate_candidates

    wanted = _request(request, n, options)
    chosen = _settings(settings, {"oversample": 1, "seed": seed, **options})
    return Candidates(generate_candidates(wanted, chosen, watch=watch))


def predict(
    formulas: str | Sequence[str],
    settings: PredictSettings | None = None,
    *,
    executor: Executor | None = None,
    watch: Watch | None = None,
    **options: Any,
) -> Candidates:
    """Predict the crystal structures of one formula or several, the best of each first.

    formulas: "K2AgSbCl6", or a list; a chemical system "K-Cu-Si" for method="adaptive". settings: all settings at once.
    options: single ones, by the names of the command line, such as samples=3 (of each formula, by default 5),
    relax=True (which orders them by energy, but those of retrieval by their votes), seed=1, space_groups=(62,),
    method="random" (by default "retrieval", and "adaptive" where a chemical system, space groups or sites are given;
    also "template", "prototype", "transformer", and with the package nucleate-papers "unimat" and "compact"). The
    `.vote` of a retrieved structure says how probable it is.

    Returns Candidates in the order of the formulas; those that failed come last and have the reason in `.failure`.
    Raises NucleateError for a text that is no formula.

    Example:
        >>> import nucleate
        >>> found = nucleate.predict("SrTiO3", samples=2, method="prototype")
        >>> found[0].formula, found[0].structure is not None
        ('SrTiO3', True)
    """
    from nucleate.settings import PredictSettings
    from nucleate.tasks.predict import predict as predict_all

    chosen = (settings or PredictSettings()).replaced(**options)
    texts = [formulas] if isinstance(formulas, str) else list(formulas)
    if not texts:
        raise NucleateError('no formula was given; write for example nucleate.predict("SrTiO3")')
    return Candidates(predict_all(texts, chosen, executor=executor, watch=watch))


def design(
    request: str | Request,
    out: str | Path | None = None,
    settings: DesignSettings | None = None,
    *,
    n: int | None = None,
    executor: Executor | None = None,
    watch: Watch | None = None,
    overwrite: bool = False,
    **options: Any,
) -> DesignResult:
    """Design crystals: generate, check, relax, place on the hull, test novelty, rank, report.

    request: a formula, a chemical system or plain words, for example "SrTiO3, 5 candidates". out: the run folder, with
    a report, CIFs and a database; "runs/<request>" where none is given. n: crystals to return. options: by the names of
    the command line, such as oversample=2, relax_steps=100, num_atoms=10. settings: all settings at once; options
    change single ones. executor: how work is spread over processes, by default over all cores. overwrite: replace a run
    in the folder; an interrupted one is finished by `resume(out)`.

    Returns a DesignResult: `.candidates` are the best, in order, `.all` holds every one, `.to_frame()` is a table.

    Example:
        >>> import nucleate
        >>> run = nucleate.design("NaCl", "runs/example", n=1, oversample=1, steps=5, relax_steps=5, second="none")
        >>> run.to_frame()["formula"].tolist(), (run.folder / "report.html").is_file()
        (['NaCl'], True)
    """
    from nucleate.tasks.design import design as design_in
    from nucleate.tasks.design import folder_for

    wanted = _request(request, n, options)
    place = Path(out) if out is not None else folder_for(wanted.text)
    chosen = _settings(settings, options)
    return design_in(wanted, place, chosen, executor=executor, watch=watch, overwrite=overwrite)


def _request(request: str | Request, n: int | None, options: dict[str, Any]) -> Request:
    """The request with the wishes that are among the options. They are removed from the options."""
    from nucleate.request.parse import parse_request

    wishes = {name: options.pop(name) for name in WISHES if name in options}
    if not isinstance(request, str):
        if wishes or n is not None:
            name = next(iter(wishes), "n")
            raise NucleateError(f"the request is parsed already; give {name} to parse_request, or a request as a text")
        return request
    text = "" if request.strip() == "anything" and "elements" in wishes else request
    return dataclasses.replace(parse_request(text, candidates=n, **wishes), text=request)


def _settings(settings: DesignSettings | None, options: dict[str, Any]) -> DesignSettings:
    """The settings that were given (or the defaults) with those changed that are among the options."""
    from nucleate.settings import DesignSettings

    return (settings or DesignSettings()).replaced(**options)


def substitute(
    given: Crystals,
    swaps: Swaps,
    *,
    sites: str = "all",
    max_atoms: int = 0,
    volume: str = "scaled",
    top: int | None = None,
) -> Candidates:
    """Replace elements of a crystal by others: all combinations, each once, the likeliest ions first.

    given: as for `relax`; a pymatgen Structure may have sites that several elements share, which are ordered. swaps:
    element -> what takes its place: an element, a list of elements (one crystal for each), or element -> share of the
    sites; "vacancy" leaves them empty. sites: "all" treats the sites of an element alike; "orbits" takes each set of
    symmetry-equivalent sites by itself, which gets one of the new elements or keeps its own. max_atoms: in the ordered
    cells that stand for shares; 0 takes the smallest cell that holds them exactly. volume: "scaled" by the volumes of
    the atoms, or "copy" of the given one. top: keep only so many, the likeliest.

    Returns Candidates, unrelaxed, with the checks of `check`. They are ordered by the probability of the new ions in
    place of the old ones, after Hautier et al., Inorg. Chem. 50, 656 (2011). Raises NucleateError, with the number,
    where there are too many combinations or arrangements.

    Example:
        >>> import nucleate
        >>> from pymatgen.core import Lattice, Structure
        >>> perovskite = Structure.from_spacegroup(
        ...     "Pm-3m", Lattice.cubic(3.85), ["Ca", "Ti", "O"], [[0.5, 0.5, 0.5], [0, 0, 0], [0.5, 0, 0]]
        ... )
        >>> [c.formula for c in nucleate.substitute(perovskite, {"Ca": ["Ba", "Sr"], "Ti": "Zr"})]
        ['SrZrO3', 'BaZrO3']
        >>> half = nucleate.substitute(perovskite, {"Ca": {"Sr": 0.5}})  # layers, columns, rock salt order
        >>> len(half), half[0].formula, len(half[0].structure)
        (3, 'SrCaTi2O6', 10)
    """
    from nucleate.pipeline.candidate_files import with_own_ids
    from nucleate.settings import SubstituteSettings
    from nucleate.tasks.substitute import candidates_of, substitute_all

    if top is not None and top < 1:
        raise NucleateError(f"the number of crystals must be at least 1, not {top}")
    settings = SubstituteSettings.of(sites=sites, max_atoms=max_atoms, volume=volume)
    made = []
    for name, structure in _structures(given):
        found = substitute_all(structure, swaps, settings)
        made += list(zip(found, candidates_of(found, name), strict=True))
    made.sort(key=lambda pair: (pair[0].likelihood is None, -(pair[0].likelihood or 0.0)))
    return Candidates(with_own_ids(candidate for _, candidate in made[:top]))


def order(
    given: Structure | str | Path,
    *,
    count: int = 20,
    max_atoms: int = 60,
    multiples: int = 1,
    tolerance: float = 0.02,
    charges: Mapping[str, float] | None = None,
    seed: int = 0,
) -> Candidates:
    """Order a crystal with shared or partly empty sites: every arrangement that symmetry tells from the others.

    given: a pymatgen Structure, or the path of a CIF or of a structure of pymatgen in JSON. count: crystals that are
    kept. max_atoms: in a cell. multiples: cells of up to so many times the smallest size are tried. tolerance: how far
    an occupancy may be from the given one where no cell holds it. charges: element -> charge in e; those of the
    likeliest neutral ions by default. seed: of the random sample where there are too many arrangements.

    Returns Candidates, unrelaxed, in the order of their electrostatic energies where charges are known, else the most
    symmetric first; with the checks of `check`, and in `provenance` the index of the space group in that of the
    disordered crystal, the electrostatic energy (eV/atom), and notes on what was rounded or left out. Raises
    NucleateError, with the nearest composition, where no cell holds the occupancies.

    Example:
        >>> import nucleate
        >>> from pymatgen.core import Lattice, Structure
        >>> alloy = Structure(Lattice.cubic(2.9), ["Al", {"Ni": 0.5, "Co": 0.5}], [[0, 0, 0], [0.5, 0.5, 0.5]])
        >>> [c.provenance["ordering_index"] for c in nucleate.order(alloy)]
        [2, 6, 6]
    """
    from nucleate.io.shared_sites import MERGED, read_with_shared_sites
    from nucleate.settings import OrderSettings
    from nucleate.tasks.order import candidates_of_orderings, ordered_by

    settings = OrderSettings.of(max_atoms=max_atoms, multiples=multiples, tolerance=tolerance, seed=seed)
    if isinstance(given, str | Path):
        read, _ = read_with_shared_sites([given])
        if len(read) != 1:
            raise NucleateError(f"{given} holds {len(read)} crystals; order takes one")
        name, structure, merged = read[0].name, read[0].structure, MERGED in read[0].info
    elif is_structure(given):
        name, structure, merged = formula_text(given.composition), given, False
    else:
        raise NucleateError(f"order takes a pymatgen Structure or the path of a file, not {type(given).__name__}")
    found = ordered_by(structure, settings, count, charges, merged)
    return Candidates(candidates_of_orderings(found, name))


def _structures(given: Any) -> list[tuple[str, Structure]]:
    """(name, structure) of each crystal. A pymatgen structure may have sites that elements share."""
    if is_structure(given):
        return [(formula_text(given.composition), given)]
    if isinstance(given, list | tuple):
        return [pair for item in given for pair in _structures(item)]
    found, _ = crystals(given)
    return [(c.id, c.structure) for c in found if c.structure is not None]
