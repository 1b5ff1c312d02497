"""Element symbols and atomic numbers, without importing a chemistry package."""

from __future__ import annotations

from nucleate.errors import NucleateError

_PERIODIC_TABLE = """
H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr Rb Sr Y Zr Nb Mo Tc Ru
Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Po At
Rn Fr Ra Ac Th Pa U Np Pu Am Cm Bk Cf Es Fm Md No Lr Rf Db Sg Bh Hs Mt Ds Rg Cn Nh Fl Mc Lv Ts Og
"""
SYMBOLS: tuple[str, ...] = tuple(_PERIODIC_TABLE.split())
# The order of elements in formulas: by Pauling's electronegativity as pymatgen has it, then by the alphabet. Of the
# elements without a value the metals come first and the noble gases last.
_WRITTEN = """
Bh Cn Db Ds Fl Hs Lv Mc Mt Nh Rf Rg Sg Fr Cs K Rb Ba Ra Na Sr Li Ca Ac La Tb Yb Ce Pm Pr Nd Sm Eu Gd Dy Y Ho Er Tm Lu
Pu Am Bk Cf Cm Es Fm Hf Lr Md No Th Mg Zr Np Sc U Pa Ta Ti Mn Be Nb Al Tl V Zn Cr Cd In Ga Fe Co Cu Re Si Tc Ni Ag Sn
Hg Po Ge Bi B Sb Te Mo As P At H Ir Os Pd Rn Ru Pt Rh Pb W Au C Se S Xe I Br Kr N Cl O F Ts Ar He Ne Og
"""
WRITING_ORDER: dict[str, int] = {s: i for i, s in enumerate(_WRITTEN.split())}
_NUMBERS = {s: i + 1 for i, s in enumerate(SYMBOLS)}
# The 63 elements of Dong et al. (arXiv 2310.00475, section 3.1): up to bismuth, without noble gases and lanthanides
MAIN_ELEMENTS = frozenset(SYMBOLS[:83]) - {"He", "Ne", "Ar", "Kr", "Xe"} - frozenset(SYMBOLS[56:71])
# Elements without an isotope that lasts a thousand times the age of the universe: Tc, Pm and all after bismuth, Th and
# U among them. (Bismuth decays within 2e19 years.) They are proposed only if the user asks for them.
RADIOACTIVE = frozenset({"Tc", "Pm", *SYMBOLS[83:]})
# English names of the elements 1 to 103, in the order of their atomic numbers
_NAMES = """
hydrogen helium lithium beryllium boron carbon nitrogen oxygen fluorine neon sodium magnesium aluminum silicon
phosphorus sulfur chlorine argon potassium calcium scandium titanium vanadium chromium manganese iron cobalt nickel
copper zinc gallium germanium arsenic selenium bromine krypton rubidium strontium yttrium zirconium niobium molybdenum
technetium ruthenium rhodium palladium silver cadmium indium tin antimony tellurium iodine xenon cesium barium
lanthanum cerium praseodymium neodymium promethium samarium europium gadolinium terbium dysprosium holmium erbium
thulium ytterbium lutetium hafnium tantalum tungsten rhenium osmium iridium platinum gold mercury thallium lead
bismuth polonium astatine radon francium radium actinium thorium protactinium uranium neptunium plutonium americium
curium berkelium californium einsteinium fermium mendelevium nobelium lawrencium
"""
NAMES: tuple[str, ...] = tuple(_NAMES.split())


def atomic_number(symbol: str) -> int:
    """The atomic number of a symbol. Raises NucleateError if there is no such element."""
    try:
        return _NUMBERS[symbol]
    except KeyError:
        near = [s for s in SYMBOLS if s.lower() == symbol.lower()]
        raise NucleateError(f"'{symbol}' is not an element" + (f"; did you mean {near[0]}?" if near else "")) from None


def element_symbol(number: int) -> str:
    """The symbol of an atomic number from 1 to 118. Raises NucleateError for another number."""
    if not 1 <= number <= len(SYMBOLS):
        raise NucleateError(f"there is no element with atomic number {number}")
    return SYMBOLS[number - 1]
