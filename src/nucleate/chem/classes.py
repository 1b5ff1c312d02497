"""Names of groups of elements ("rare earth") and of classes of compounds ("oxide"), and what they mean."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache

from nucleate.chem.elements import NAMES, RADIOACTIVE, SYMBOLS, element_symbol
from nucleate.errors import NucleateError

LANTHANIDES = ("La", "Ce", "Pr", "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu")
ACTINIDES = ("Ac", "Th", "Pa", "U", "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr")
_D = (
    *("Sc", "Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Zn", "Y", "Zr", "Nb", "Mo", "Tc", "Ru", "Rh", "Pd", "Ag"),
    *("Cd", "Hf", "Ta", "W", "Re", "Os", "Ir", "Pt", "Au", "Hg"),
)
_RARE = (
    *("He", "Ne", "Se", "Kr", "Tc", "Ru", "Rh", "Pd", "Ag", "Te", "Xe", "Pm", "Re", "Os", "Ir", "Pt", "Au", "Hg", "Bi"),
    *(s for s in SYMBOLS if s in RADIOACTIVE - {"Tc", "Pm", "Th", "U"}),
)
GROUPS: dict[str, tuple[str, ...]] = {
    "alkali metal": ("Li", "Na", "K", "Rb", "Cs", "Fr"),
    "alkaline earth": ("Be", "Mg", "Ca", "Sr", "Ba", "Ra"),
    "rare earth": ("Sc", "Y", *LANTHANIDES),
    "lanthanide": LANTHANIDES,
    "actinide": ACTINIDES,
    "transition metal": _D,
    "noble metal": ("Ru", "Rh", "Pd", "Ag", "Os", "Ir", "Pt", "Au"),
    "platinum metal": ("Ru", "Rh", "Pd", "Os", "Ir", "Pt"),
    "halogen": ("F", "Cl", "Br", "I", "At"),
    "chalcogen": ("O", "S", "Se", "Te", "Po"),
    "pnictogen": ("N", "P", "As", "Sb", "Bi"),
    "noble gas": ("He", "Ne", "Ar", "Kr", "Xe", "Rn"),
    "toxic element": ("Be", "As", "Cd", "Hg", "Tl", "Pb"),
    "radioactive element": tuple(s for s in SYMBOLS if s in RADIOACTIVE),
    "heavy metal": ("Cd", "Hg", "Tl", "Pb", "Bi"),
    "rare element": _RARE,
    "expensive element": ("Sc", "Rb", "Ru", "Rh", "Pd", "Cs", "Tm", "Re", "Os", "Ir", "Pt", "Au"),
}
# Which elements are in a group, for groups that do not follow from the periodic table alone
CRITERIA: dict[str, str] = {
    "rare earth": "scandium, yttrium and the lanthanides (IUPAC, Red Book 2005, IR-3.6.2)",
    "noble metal": "the platinum metals, silver and gold",
    "toxic element": "all its compounds are listed as toxic, carcinogenic or toxic to reproduction by the European "
    "Union (regulation 1272/2008, annex VI); chromium, where it depends on the valence, is not among them",
    "radioactive element": "no stable isotope: technetium, promethium and all elements after bismuth, also thorium and "
    "uranium, which decay slowly",
    "heavy metal": "cadmium and the metals from mercury to bismuth",
    "rare element": "less than 0.1 mg in a kilogram of the Earth's crust (CRC Handbook of Chemistry and Physics, "
    "section 14), and artificial elements; rare earths are no rarer than tin and not among them",
    "expensive element": "metals whose price was above about 1,000 US dollars per kilogram in 2020",
}
NONMETALS = frozenset({"H", "N", "O", "F", "S", "Cl", "Se", "Br", "I", "He", "Ne", "Ar", "Kr", "Xe", "Rn"})
ANIONS = frozenset({"H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Ge", "As", "Se", "Br", "Sb", "Te", "I"})


@dataclass(frozen=True)
class CompoundClass:
    """A class of compounds. A compound belongs to it if it has one of `anions`, no element that is more electronegative
    than these, and all elements of `needs`. The class "metal", without anions, has compounds of metals and semimetals
    only (`is_metallic`)."""

    name: str
    anions: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()

    def holds(self, composition: Mapping[str, int]) -> bool:
        """Whether a composition (element -> amount) belongs to the class."""
        if not self.anions:
            return is_metallic(composition)
        from nucleate.chem.states import pauling_electronegativity

        found = [e for e in composition if e in self.anions]
        if not found or self.needs - set(composition) or len(composition) == 1:
            return False
        strongest = max(composition, key=lambda e: pauling_electronegativity(e) or 0.0)
        return strongest in self.anions


def is_metallic(composition: Collection[str]) -> bool:
    """Whether all elements of a composition are metals or semimetals, and at least one is a metal."""
    from nucleate.chem.states import smact_metals

    semimetals = {"B", "Si", "Ge", "As", "Sb", "Te", "C", "P"}
    proper = smact_metals() - semimetals
    return any(e in proper for e in composition) and all(e in proper or e in semimetals for e in composition)


@cache
def classes() -> dict[str, CompoundClass]:
    """All classes of compounds: name -> class."""
    one = {
        "oxide": "O", "fluoride": "F", "chloride": "Cl", "bromide": "Br", "iodide": "I", "sulfide": "S",
        "selenide": "Se", "telluride": "Te", "nitride": "N", "phosphide": "P", "arsenide": "As", "antimonide": "Sb",
        "carbide": "C", "silicide": "Si", "germanide": "Ge", "boride": "B", "hydride": "H",
    }  # fmt: skip
    oxo = {
        "carbonate": "C", "nitrate": "N", "phosphate": "P", "sulfate": "S", "silicate": "Si", "borate": "B",
        "germanate": "Ge", "arsenate": "As", "titanate": "Ti", "zirconate": "Zr", "hafnate": "Hf", "niobate": "Nb",
        "tantalate": "Ta", "vanadate": "V", "molybdate": "Mo", "tungstate": "W", "chromate": "Cr", "manganate": "Mn",
        "ferrate": "Fe", "ferrite": "Fe", "cobaltate": "Co", "cuprate": "Cu", "nickelate": "Ni", "aluminate": "Al",
        "gallate": "Ga", "stannate": "Sn", "iridate": "Ir", "ruthenate": "Ru", "manganite": "Mn", "cobaltite": "Co",
    }  # fmt: skip
    several = {
        "halide": frozenset(("F", "Cl", "Br", "I")),
        "chalcogenide": frozenset(("S", "Se", "Te")),
        "pnictide": frozenset(("N", "P", "As", "Sb", "Bi")),
    }
    out = {name: CompoundClass(name, frozenset((anion,))) for name, anion in one.items()}
    out |= {name: CompoundClass(name, frozenset(("O",)), frozenset((centre,))) for name, centre in oxo.items()}
    out |= {name: CompoundClass(name, anions) for name, anions in several.items()}
    return out | {"metal": CompoundClass("metal")}


SYNONYMS = {
    "intermetallic": "metal", "alloy": "metal", "metallic compound": "metal", "sulphide": "sulfide",
    "sulphate": "sulfate", "wolframate": "tungstate",
}  # fmt: skip
GROUP_SYNONYMS = {
    "rare earth metal": "rare earth", "rare earth element": "rare earth", "alkali": "alkali metal",
    "alkaline earth metal": "alkaline earth", "precious metal": "noble metal", "d metal": "transition metal",
    "platinum group metal": "platinum metal", "platinum group": "platinum metal", "toxic metal": "toxic element",
    "radioactive": "radioactive element",
}  # fmt: skip


def element_group(name: str) -> frozenset[str]:
    """The symbols of a named group of elements: "radioactive", "toxic elements", "rare earths", "noble_gases".

    The names are those of `GROUPS` and `GROUP_SYNONYMS` in small or capital letters, singular or plural, with or
    without their last word "element" or "metal". Raises NucleateError, with all names, for another one.
    """
    words = re.sub(r"[\s_-]+", " ", name.strip().lower())
    singular = words.removesuffix("es") if words.endswith("gases") else words.removesuffix("s")
    for one in (words, singular):
        for known in (one, f"{one} element", f"{one} metal"):
            if found := GROUPS.get(GROUP_SYNONYMS.get(known, known)):
                return frozenset(found)
    raise NucleateError(f"no group of elements is called '{name[:40]}'; there are: {', '.join(GROUPS)}")


@cache
def element_names() -> dict[str, str]:
    """English names of elements in lower case, British and American, -> symbol."""
    out = {name: element_symbol(i + 1) for i, name in enumerate(NAMES)}
    return out | {"aluminum": "Al", "aluminium": "Al", "cesium": "Cs", "caesium": "Cs", "sulphur": "S", "sulfur": "S",
                  "wolfram": "W"}  # fmt: skip
