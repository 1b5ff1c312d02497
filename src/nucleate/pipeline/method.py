"""By which method an energy was computed, and whether it holds MP2020 corrections.

Beside every energy stands the name of its method as a text, in records, reference sets and tables. What the text says
of corrections is at its end, in one of three ways: "SevenNet-0 (PBE+U, uncorrected)", "SevenNet-0 (PBE+U,
MP2020-corrected)" or "anything + MP2020 corrections". Here that text becomes a value, and a value that text again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nucleate.errors import NucleateError

RAW, CORRECTED = "uncorrected)", "MP2020-corrected)"
ADDED = " + MP2020 corrections"


@dataclass(frozen=True)
class EnergyMethod:
    """The method of an energy. Two energies can be compared only where their methods are equal.

    stem: the text without what it says of corrections at its end. corrected: whether the energies hold MP2020
    corrections; None where the text does not say so.
    """

    stem: str
    corrected: bool | None = None

    @classmethod
    def parse(cls, text: str) -> EnergyMethod:
        """The method that a text names; `str` of it is that text again."""
        if text.endswith(ADDED):
            return cls(text.removesuffix(ADDED), True)
        if text.endswith(CORRECTED):
            return cls(text.removesuffix(CORRECTED), True)
        return cls(text.removesuffix(RAW), False) if text.endswith(RAW) else cls(text)

    def __str__(self) -> str:
        if self.corrected is None:
            return self.stem
        if self.stem.endswith(("(", ", ")):
            return self.stem + (CORRECTED if self.corrected else RAW)
        return self.stem + (ADDED if self.corrected else RAW)

    @property
    def name(self) -> str:
        """The potential or program alone: "SevenNet-0"."""
        return self.stem.split(" (")[0]

    def with_corrections(self) -> EnergyMethod:
        """The method of these energies after MP2020 corrections were added to them."""
        return replace(self, corrected=True) if self.corrected is False else EnergyMethod(str(self), True)

    def called(self, corrected: bool) -> EnergyMethod:
        """The method, where the user says whether its energies are corrected; raises NucleateError where the text says
        the opposite."""
        if self.corrected not in (None, corrected):
            said = "corrected" if corrected else "raw"
            raise NucleateError(f"'{self}' is called {said}, and says the opposite itself")
        return self if self.corrected is not None else EnergyMethod(f"{self.stem} (", corrected)

    def remarked(self, remark: str) -> EnergyMethod:
        """A method of its own, with a remark before what is said of corrections, such as "not converged"."""
        return replace(self, stem=f"{self.stem.removesuffix(' (')}, {remark} (") if self.stem.endswith(" (") else self
