"""The name of the method of an energy, and what it says of MP2020 corrections."""

from __future__ import annotations

from nucleate.errors import NucleateError

RAW, CORRECTED = "uncorrected)", "MP2020-corrected)"
ADDED = " + MP2020 corrections"


class EnergyMethod(str):
    """The method of an energy: a text that stands beside the energy in records, reference sets and tables.

    Two energies can be compared only where their methods are equal. What a method says of MP2020 corrections is at its
    end, in one of three ways: "SevenNet-0 (PBE+U, uncorrected)", "SevenNet-0 (PBE+U, MP2020-corrected)" or
    "anything + MP2020 corrections".

    Example:
        >>> from nucleate.pipeline.method import EnergyMethod
        >>> raw = EnergyMethod("SevenNet-0 (PBE+U, uncorrected)")
        >>> raw.name, raw.corrected, raw.with_corrections()
        ('SevenNet-0', False, 'SevenNet-0 (PBE+U, MP2020-corrected)')
    """

    __slots__ = ()

    @property
    def corrected(self) -> bool | None:
        """Whether the energies hold MP2020 corrections; None where the text does not say so."""
        if self.endswith((ADDED, CORRECTED)):
            return True
        return False if self.endswith(RAW) else None

    @property
    def stem(self) -> str:
        """The text without what it says of corrections at its end."""
        ending = next((e for e in (ADDED, CORRECTED, RAW) if self.endswith(e)), "")
        return self.removesuffix(ending)

    @property
    def name(self) -> str:
        """The potential or program alone: "SevenNet-0"."""
        return self.stem.split(" (")[0]

    def with_corrections(self) -> EnergyMethod:
        """The method of these energies after MP2020 corrections were added to them."""
        stem = self.stem if self.corrected is False else str(self)
        return EnergyMethod(stem + (CORRECTED if stem.endswith(("(", ", ")) else ADDED))

    def called(self, corrected: bool) -> EnergyMethod:
        """The method, where the user says whether its energies are corrected. Raises NucleateError where the text says
        the opposite."""
        if self.corrected not in (None, corrected):
            said = "corrected" if corrected else "raw"
            raise NucleateError(f"'{self}' is called {said}, but its own text says the opposite")
        return self if self.corrected is not None else EnergyMethod(f"{self} ({CORRECTED if corrected else RAW}")

    def remarked(self, remark: str) -> EnergyMethod:
        """The method with a remark, such as "not converged", before what it says of corrections. A method without such
        a text in parentheses of its own stays as it is."""
        stem = self.stem
        if not stem.endswith(" ("):
            return self
        return EnergyMethod(f"{stem.removesuffix(' (')}, {remark} ({self.removeprefix(stem)}")
