"""Small outputs of VASP as it writes them: the parts of vasprun.xml and OUTCAR that count."""

from collections.abc import Mapping, Sequence

from pymatgen.core import Lattice, Structure

MG = Structure(Lattice.hexagonal(3.19, 5.17), ["Mg", "Mg"], [[1 / 3, 2 / 3, 0.25], [2 / 3, 1 / 3, 0.75]])
O2 = Structure(Lattice.cubic(8.0), ["O", "O"], [[0.5, 0.5, 0.42], [0.5, 0.5, 0.58]])
IRON = Structure(Lattice.cubic(2.83), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
PARAMETERS = {"ENMAX": 520.0, "NSW": 99, "NELM": 100, "IBRION": 2, "ISPIN": 2, "GGA": "PE", "LHFCALC": "F"}
KINDS = {int: ' type="int"', str: ' type="string"', float: ""}


def rocksalt(a: float, cation: str = "Mg", anion: str = "O") -> Structure:
    half = a / 2
    lattice = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
    return Structure(lattice, [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def vasprun(
    structure: Structure,
    energies: Sequence[float | str],
    tags: Mapping[str, object] | None = None,
    titles: Mapping[str, str] | None = None,
    force: float | str = 0.0,
    stress: float | str = 0.0,
    iterations: int = 1,
    version: str = "6.3.0",
) -> str:
    """vasprun.xml with a step of each energy (eV, of the cell); all steps have the same forces and stress (kbar).

    tags: beside `PARAMETERS`, None takes one away; lists are one value for each element. titles: of POTCARs by element.
    """
    symbols = [site.specie.symbol for site in structure]
    kinds = list(dict.fromkeys(symbols))
    names = {k: f"PAW_PBE {k} 01Jan2001" for k in kinds} | dict(titles or {})
    values = {k: v for k, v in {**PARAMETERS, **(tags or {})}.items() if v is not None}
    incar = "".join(_tag(k, v) for k, v in values.items() if k in (tags or {}))
    geometry = (
        f"<crystal>{_rows('basis', structure.lattice.matrix)}<i name='volume'> {structure.volume} </i>"
        f"{_rows('rec_basis', structure.lattice.inv_matrix.T)}</crystal>{_rows('positions', structure.frac_coords)}"
    )
    ions = "".join(f"<rc><c>{s}</c><c>{kinds.index(s) + 1}</c></rc>" for s in symbols)
    types = "".join(f"<rc><c>{symbols.count(k)}</c><c>{k}</c><c>1.0</c><c>6.0</c><c>{names[k]}</c></rc>" for k in kinds)
    steps = ""
    for energy in energies:
        text = energy if isinstance(energy, str) else f"{energy:.8f}"
        said = "".join(f'<i name="{n}">{text}</i>' for n in ("e_fr_energy", "e_wo_entrp", "e_0_energy"))
        block = f"<energy>{said}</energy>" if text else ""
        forces = [[force, 0.0, 0.0]] + [[0.0, 0.0, 0.0]] * (len(symbols) - 1)
        steps += f"<calculation>{f'<scstep>{block}</scstep>' * iterations}<structure>{geometry}</structure>"
        steps += _rows("forces", forces) + _rows("stress", [[stress, 0, 0], [0, stress, 0], [0, 0, stress]])
        steps += f"{block}<dos><total><array><set><r> 0.1 0.2 </r></set></array></total></dos></calculation>\n"
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<modeling><generator><i name="program" type="string">vasp </i>'
        f'<i name="version" type="string">{version}  </i></generator>\n<incar>{incar}</incar>\n'
        f'<parameters><separator name="general">{"".join(_tag(k, v) for k, v in values.items())}</separator>'
        f"</parameters>\n<atominfo><atoms>{len(symbols)}</atoms><types>{len(kinds)}</types>"
        f'<array name="atoms"><set>{ions}</set></array><array name="atomtypes"><set>{types}</set></array></atominfo>\n'
        f'<structure name="initialpos">{geometry}</structure>{steps}<structure name="finalpos">{geometry}</structure>\n'
        "</modeling>\n"
    )


def outcar(
    structure: Structure,
    energies: Sequence[float | str],
    tags: Mapping[str, object] | None = None,
    force: float = 0.0,
    ended: bool = True,
    said: str = "",
) -> str:
    """OUTCAR of the same runs; said: a line after the last step."""
    symbols = [site.specie.symbol for site in structure]
    kinds = list(dict.fromkeys(symbols))
    values = {**{k: v for k, v in PARAMETERS.items() if k != "ENMAX"}, "ENCUT": "520.0 eV  38.22 Ry", **(tags or {})}
    lines = [" vasp.6.3.0 20Jan22 (build Jan 20 2022) complex", "", " INCAR:"]
    lines += [f"   {k} = {v}" for k, v in (tags or {}).items()]
    for k in kinds:
        lines += [f"   VRHFIN ={k}: s2p0", "   LEXCH  = PE", f"   TITEL  = PAW_PBE {k} 01Jan2001"]
        lines += ["   POMASS =   24.305; ZVAL   =    6.000    mass and valenz"]
    lines += [f"   ions per type = {'  '.join(str(symbols.count(k)) for k in kinds)}"]
    lines += [
        f"   {k:7s}= {v};   of this run" if k == "NELM" else f"   {k:7s}= {v}    of this run" for k, v in values.items()
    ]
    for n, energy in enumerate(energies, start=1):
        text = energy if isinstance(energy, str) else f"{energy:16.8f}"
        lines += [f"--------------------------------------- Iteration {n:6d}(   7)  ----------"]
        lines += ["  in kB       0.00000     0.00000     0.00000     0.00000     0.00000     0.00000"]
        lines += ["      direct lattice vectors                 reciprocal lattice vectors"]
        lines += ["  " + "".join(f"{x:13.9f}" for x in (*row, 0, 0, 0)) for row in structure.lattice.matrix]
        lines += [" POSITION                                       TOTAL-FORCE (eV/Angst)", " " + "-" * 80]
        for i, row in enumerate(structure.cart_coords):
            lines += ["  " + "".join(f"{x:13.5f}" for x in (*row, force if not i else 0, 0, 0))]
        lines += [" " + "-" * 80, "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)"]
        lines += [f"  free  energy   TOTEN  = {text} eV", ""]
        lines += [f"  energy  without entropy= {text}  energy(sigma->0) = {text}"]
    end = [" General timing and accounting informations for this job:"] if ended else []
    return "\n".join([*lines, said, *end]) + "\n"


def _tag(name: str, value: object) -> str:
    if isinstance(value, list):
        return f'<v name="{name}"> {" ".join(str(x) for x in value)} </v>'
    logical = value in ("T", "F")
    return (
        f'<i{" type=" + chr(34) + "logical" + chr(34) if logical else KINDS[type(value)]} name="{name}"> {value} </i>'
    )


def _rows(name: str, rows: object) -> str:
    lines = "".join("<v> " + " ".join(x if isinstance(x, str) else f"{x:.8f}" for x in row) + " </v>" for row in rows)
    return f'<varray name="{name}">{lines}</varray>'
