"""By what an energy was computed: what must be the same for two of them to be compared, and what MP2020 corrects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from nucleate.errors import NucleateError
from nucleate.pipeline.corrections import mp2020_correction
from nucleate.pipeline.method import EnergyMethod

if TYPE_CHECKING:
    from pymatgen.core import Composition, Structure


@dataclass(frozen=True)
class DftMethod:
    """program: with version. functional: PBE, r2SCAN, HSE06, PBE-D3(BJ) ... basis: the cutoff, and what else counts.

    potentials: of each element, the title or file of its pseudopotential or PAW dataset ("" where it is not known).
    hubbard: U of the elements that have one, in words ("5.3 eV"). unfit: why its energies can be compared with none.
    scale: what the functional is called where U is as the Materials Project has it, so that the MP2020 corrections put
    all energies on one scale; "" for one that these corrections are not for.
    """

    program: str
    functional: str
    basis: str
    potentials: Mapping[str, str] = field(default_factory=dict)
    hubbard: Mapping[str, str] = field(default_factory=dict)
    unfit: str = ""
    scale: str = ""

    @property
    def key(self) -> str:
        """What two energies must share; potentials and U are compared element by element."""
        return f"{self.program} {self.functional}, {self.basis}"

    def name(self, composition: Composition) -> EnergyMethod:
        """What stands beside the energy; a U that is not the Materials Project's, or none where there is one, is
        named."""
        functional = self.functional
        if self.scale and not wrong_hubbard(self, composition):
            functional = self.scale
        elif self.hubbard:
            functional += f"+U ({', '.join(f'{e} {u}' for e, u in sorted(self.hubbard.items()))})"
        elif self.scale not in ("", functional):
            functional += " without U"
        return EnergyMethod(f"{self.program} {functional}, {self.basis} (uncorrected)")


def no_corrections(method: DftMethod, composition: Composition) -> str:
    """Why MP2020 corrections do not apply to an energy; "" if they do."""
    if method.scale:
        return wrong_hubbard(method, composition)
    if method.functional != "PBE":
        return f"MP2020 corrections are for PBE(+U), not for {method.functional}"
    return "MP2020 corrections are for PBE with PBE potentials, which its POTCARs are not or do not say"


def correction_of(method: DftMethod, structure: Structure) -> tuple[float | None, str]:
    """The MP2020 correction in eV/atom and "", or None and why there is none."""
    if why := no_corrections(method, structure.composition):
        return None, why
    try:
        return mp2020_correction(structure, plus_u=bool(method.hubbard)).total, ""
    except NucleateError as error:
        return None, str(error)


def wrong_hubbard(method: DftMethod, composition: Composition) -> str:
    """Where the U values differ from the Materials Project's; "" if nowhere."""
    wanted = {e: f"{u:g} eV" for e, u in mp_hubbard(composition).items()}
    mine = {str(e): method.hubbard.get(str(e), "") for e in composition.element_composition}
    said = [
        f"U of {e} is {u or 'none'}, there {wanted.get(e, 'none')}" for e, u in mine.items() if u != wanted.get(e, "")
    ]
    return f"not the Materials Project's PBE(+U), which MP2020 corrects: {', '.join(said)}" if said else ""


def mp_hubbard(composition: Composition) -> dict[str, float]:
    """U (eV) of the Materials Project for the elements of a compound: in oxides and fluorides, of eight metals."""
    amounts = composition.element_composition
    if len(amounts) < 2:
        return {}
    anion = max(amounts, key=lambda e: e.X).symbol
    values = _mp_settings()["INCAR"]["LDAUU"].get(anion, {})
    return {str(e): float(values[str(e)]) for e in amounts if values.get(str(e))}


def mp_potentials(elements: Iterable[str]) -> dict[str, str]:
    """The POTCAR that the Materials Project takes, of each element that has one there."""
    known = _mp_settings()["POTCAR"]
    return {e: known[e] for e in elements if e in known}


@cache
def _mp_settings() -> dict:
    from pymatgen.io.vasp.sets import MPRelaxSet

    return MPRelaxSet.CONFIG
