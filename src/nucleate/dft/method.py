"""The method of a DFT energy: what must be equal where two are compared, and where MP2020 corrections apply."""

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
    """The method of a DFT energy.

    program: with version. functional: PBE, r2SCAN, HSE06, PBE-D3(BJ) ... basis: the cutoff, and whatever else changes
    energies. potentials: element -> title or file of its pseudopotential or PAW dataset ("" where it is not known).
    hubbard: element -> its U in words ("5.3 eV"), of those that have one. incomparable: why its energies can be
    compared with no others; "" where they can. scale: how the functional is called where every U is that of the
    Materials Project, so that the MP2020 corrections bring all energies to one scale; "" where these corrections do not
    apply.
    """

    program: str
    functional: str
    basis: str
    potentials: Mapping[str, str] = field(default_factory=dict)
    hubbard: Mapping[str, str] = field(default_factory=dict)
    incomparable: str = ""
    scale: str = ""

    @property
    def key(self) -> str:
        """What two energies must have in common; potentials and U are compared element by element besides."""
        return f"{self.program} {self.functional}, {self.basis}"

    def name(self, composition: Composition) -> EnergyMethod:
        """The method as energies of this composition carry it. Values of U are named where they are not those of the
        Materials Project, and also where it has a U and this method has none."""
        functional = self.functional
        if self.scale and not hubbard_difference(self, composition):
            functional = self.scale
        elif self.hubbard:
            functional += f"+U ({', '.join(f'{e} {u}' for e, u in sorted(self.hubbard.items()))})"
        elif self.scale not in ("", functional):
            functional += " without U"
        return EnergyMethod(f"{self.program} {functional}, {self.basis} (uncorrected)")


def why_no_corrections(method: DftMethod, composition: Composition) -> str:
    """Why MP2020 corrections do not apply to an energy; "" if they do."""
    if method.scale:
        return hubbard_difference(method, composition)
    if method.functional != "PBE":
        return f"MP2020 corrections are for PBE(+U), not for {method.functional}"
    return "MP2020 corrections are for PBE with PBE potentials, which its POTCARs are not or do not say"


def correction_of(method: DftMethod, structure: Structure) -> tuple[float | None, str]:
    """The MP2020 correction in eV/atom and "", or None and why there is none."""
    if why := why_no_corrections(method, structure.composition):
        return None, why
    try:
        return mp2020_correction(structure, plus_u=bool(method.hubbard)).total, ""
    except NucleateError as error:
        return None, str(error)


def hubbard_difference(method: DftMethod, composition: Composition) -> str:
    """In what the values of U differ from those of the Materials Project; "" where they are equal."""
    wanted = {e: f"{u:g} eV" for e, u in mp_hubbard(composition).items()}
    mine = {str(e): method.hubbard.get(str(e), "") for e in composition.element_composition}
    said = [
        f"U of {e} is {u or 'none'}, there {wanted.get(e, 'none')}" for e, u in mine.items() if u != wanted.get(e, "")
    ]
    return f"not the Materials Project's PBE(+U), which MP2020 corrects: {', '.join(said)}" if said else ""


def mp_hubbard(composition: Composition) -> dict[str, float]:
    """element -> U (eV) as the Materials Project has it: for eight metals, in oxides and fluorides."""
    amounts = composition.element_composition
    if len(amounts) < 2:
        return {}
    anion = max(amounts, key=lambda e: e.X).symbol
    values = _mp_settings()["INCAR"]["LDAUU"].get(anion, {})
    return {str(e): float(values[str(e)]) for e in amounts if values.get(str(e))}


def mp_potentials(elements: Iterable[str]) -> dict[str, str]:
    """element -> name of the POTCAR of the Materials Project, of those that it has one for."""
    known = _mp_settings()["POTCAR"]
    return {e: known[e] for e in elements if e in known}


@cache
def _mp_settings() -> dict:
    from pymatgen.io.vasp.sets import MPRelaxSet

    return MPRelaxSet.CONFIG
