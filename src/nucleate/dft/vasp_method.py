"""The method of a VASP run, from the POTCARs and all tags that energies depend on."""

from __future__ import annotations

import math
from collections.abc import Mapping

from nucleate.dft.method import DftMethod
from nucleate.dft.vasp_run import VaspRun
from nucleate.dft.vasp_settings import tag_integer, tag_is_on, tag_number, tag_numbers, tag_word

GGA = {"PE": "PBE", "PS": "PBEsol", "RP": "RPBE", "RE": "revPBE", "AM": "AM05", "91": "PW91", "CA": "LDA", "PZ": "LDA"}
GGA |= {"HL": "LDA (Hedin-Lundqvist)", "WI": "LDA (Wigner)", "VW": "LDA (VWN)", "BF": "BEEF-vdW", "OR": "optPBE"}
GGA |= {"BO": "optB88", "MK": "optB86b", "ML": "PW86R", "CX": "cx", "B3": "B3LYP (VWN3)", "B5": "B3LYP (VWN5)"}
META = {"R2SCAN": "r2SCAN", "RSCAN": "rSCAN", "R2SCANL": "r2SCAN-L", "RTPSS": "revTPSS", "M06L": "M06-L"}
POTCARS = {"PAW_PBE": "PBE", "PAW_GGA": "PW91", "PAW": "LDA", "PAW_LDA": "LDA", "US": "LDA", "NC": "LDA"}
DISPERSION = {1: "D2", 10: "D2", 11: "D3", 12: "D3(BJ)", 13: "D4", 15: "D3 (simple)", 2: "TS", 20: "TS", 21: "TS/HI"}
DISPERSION |= {202: "MBD", 263: "MBD/FI", 3: "ulg", 4: "dDsC"}
NONLOCAL = {"revPBE": "vdW-DF", "PW86R": "vdW-DF2", "optPBE": "optPBE-vdW", "optB88": "optB88-vdW"}
NONLOCAL |= {"optB86b": "optB86b-vdW", "cx": "vdW-DF-cx", "SCAN": "SCAN+rVV10", "r2SCAN": "r2SCAN+rVV10"}
NONLOCAL_TAGS = ("ZAB_VDW", "BPARAM", "CPARAM", "PARAM1", "PARAM2", "PARAM3")
WIDEST = 0.5  # eV; with a wider smearing the electrons are hot, and the energy is not that of the ground state
LIBXC = ("LIBXC1", "LIBXC2")


def vasp_method(run: VaspRun) -> DftMethod:
    """The method of a VASP run.

    What the file does not say is not guessed: `incomparable` names it, and the energy is then compared with no others.
    """
    s = run.settings
    titles = _titles(run)
    base, unknown = _semilocal(s, titles)
    functional = _dispersion(s, _hybrid(s, base) if tag_is_on(s, "LHFCALC") else base)
    if tag_is_on(s, "LSORBIT"):
        functional += " with spin-orbit coupling"
    cutoff = tag_number(s, "ENMAX", tag_number(s, "ENCUT", math.nan))
    basis = f"plane waves {cutoff:g} eV" if math.isfinite(cutoff) else "plane waves of an unknown cutoff"
    if precision := {"A": "accurate", "N": "normal", "M": "medium", "L": "low", "H": "high", "S": "single"}.get(
        tag_word(s, "PREC")[:1]
    ):
        basis += f", precision {precision}"
    if tag_is_on(s, "LASPH"):
        basis += ", aspherical"
    mp = functional == "PBE" and all(_kind(t) == "PAW_PBE" for t in titles.values())
    return DftMethod(
        f"VASP {run.version}",
        functional,
        basis,
        titles,
        _hubbard(run),
        unknown
        or ("" if math.isfinite(cutoff) else "its cutoff is not in the file")
        or _charge(run)
        or _surroundings(s),
        scale="PBE(+U)" if mp else "",
    )


def _titles(run: VaspRun) -> dict[str, str]:
    out: dict[str, set[str]] = {e: set() for e in run.symbols}
    for element, title, _, _ in run.types:
        out.setdefault(element, set()).add(title)
    return {e: " and ".join(sorted(t)) for e, t in out.items()}


def _kind(title: str) -> str:
    return title.split()[0].upper() if title.strip() else ""


def _semilocal(s: Mapping[str, str], titles: Mapping[str, str]) -> tuple[str, str]:
    """(functional, why it is not known)."""
    meta, gga = tag_word(s, "METAGGA"), tag_word(s, "GGA")
    if "LIBXC" in (meta, gga):
        return f"libxc {' '.join(tag_word(s, x) for x in LIBXC if tag_word(s, x))}".strip(), ""
    if meta:
        lost = "a potential without an energy (METAGGA = MBJ)" if "MBJ" in meta else ""
        return META.get(meta, meta), lost
    if tag_is_on(s, "LMETAGGA"):
        return "an unknown meta-GGA", "which meta-GGA it used is not in the file"
    if gga:
        return GGA.get(gga, f"GGA = {gga}"), ""
    found = {POTCARS.get(_kind(t), "") for t in titles.values()}
    if len(found) == 1 and "" not in found:
        return found.pop(), ""
    return "an unknown functional", "its functional is not in the file (no GGA, METAGGA or known POTCARs)"


def _hybrid(s: Mapping[str, str], base: str) -> str:
    exchange, screening = tag_number(s, "AEXX", 0.25), tag_number(s, "HFSCREEN", 0.0)
    known = {("PBE", 0.25, 0.0): "PBE0", ("PBE", 0.25, 0.2): "HSE06", ("PBE", 0.25, 0.3): "HSE03"}
    known |= {("PBEsol", 0.25, 0.2): "HSEsol"}
    text = known.get((base, round(exchange, 4), round(screening, 4)))
    text = text or f"hybrid of {base} (AEXX = {exchange:g}, HFSCREEN = {screening:g})"
    for tag, usual in (("AGGAX", 1 - exchange), ("ALDAX", 1 - exchange), ("AGGAC", 1.0), ("ALDAC", 1.0)):
        value = tag_number(s, tag, usual)
        text += "" if math.isclose(value, usual, abs_tol=1e-4) else f" {tag} = {value:g}"
    return text + "".join(f" {tag}" for tag in ("LTHOMAS", "LMODELHF", "LRHFCALC") if tag_is_on(s, tag))


def _dispersion(s: Mapping[str, str], functional: str) -> str:
    if tag_is_on(s, "LUSE_VDW"):
        default = {"ZAB_VDW": -1.8867 if functional == "PW86R" else -0.8491, "CPARAM": 0.0093}
        default |= {"PARAM1": 0.1234, "PARAM2": 1.0, "PARAM3": 0.0}
        functional = NONLOCAL.get(functional, f"{functional} with nonlocal correlation (LUSE_VDW)")
        for tag in NONLOCAL_TAGS:
            value = tag_number(s, tag, math.nan)
            if math.isfinite(value) and not math.isclose(value, default.get(tag, math.nan), abs_tol=1e-4):
                functional += f" {tag} = {value:g}"
    kind = tag_integer(s, "IVDW", 0) or (1 if tag_is_on(s, "LVDW") else 0)
    if kind:
        functional += f"-{DISPERSION.get(kind, f'(IVDW = {kind})')}"
        own = sorted(f"{tag} = {value}" for tag, value in s.items() if tag.startswith("VDW_") and value.strip())
        functional += f" ({', '.join(own)})" if own else ""
    return functional


def _hubbard(run: VaspRun) -> dict[str, str]:
    """The Hubbard U of each element that has one, in words; for LDAUTYPE 2 it is U - J, since energies depend only on
    the difference."""
    s = run.settings
    if not tag_is_on(s, "LDAU"):
        return {}
    kind = tag_integer(s, "LDAUTYPE", 2)
    u, j, orbitals = (tag_numbers(s, tag) for tag in ("LDAUU", "LDAUJ", "LDAUL"))
    out: dict[str, set[str]] = {}
    for i, (element, *_) in enumerate(run.types):
        orbital = orbitals[i] if i < len(orbitals) and math.isfinite(orbitals[i]) else 2
        first, second = u[i] if i < len(u) else math.nan, j[i] if i < len(j) else 0.0
        if orbital == -1 or (first == 0 and second == 0):
            out.setdefault(element, set()).add("")
            continue
        text = f"{first - second:g} eV" if kind == 2 else f"{first:g} eV, J {second:g} eV, LDAUTYPE {kind}"
        out.setdefault(element, set()).add(text + {3: " on f", 1: " on p", 0: " on s"}.get(int(orbital), ""))
    if not run.types:
        return {e: "of an unknown size" for e in set(run.symbols)}
    return {e: " and ".join(sorted(t or "none" for t in said)) for e, said in out.items() if said != {""}}


def _charge(run: VaspRun) -> str:
    """Why a charged cell cannot be compared; "" for a neutral one, or where the file does not say."""
    electrons = tag_number(run.settings, "NELECT", math.nan)
    neutral = sum(valence * count for _, _, valence, count in run.types)
    charge = neutral - electrons
    return f"its cell is charged ({charge:+g})" if math.isfinite(charge) and abs(charge) > 0.01 else ""


def _surroundings(s: Mapping[str, str]) -> str:
    """Why the energy is not that of the ground state of the crystal alone, such as a pressure or a field; "" where it
    is."""
    if pressure := tag_number(s, "PSTRESS", 0.0):
        return f"its cell is under an outer pressure (PSTRESS = {pressure:g} kbar)"
    if field := tag_number(s, "EFIELD", 0.0):
        return f"it is in an electric field (EFIELD = {field:g} eV/angstrom)"
    if tag_is_on(s, "LSOL"):
        return "it is in a solvent (LSOL)"
    if kind := tag_integer(s, "I_CONSTRAINED_M", 0):
        return f"its moments are held by an energy of their own (I_CONSTRAINED_M = {kind})"
    width = tag_number(s, "SIGMA", 0.2)
    if tag_integer(s, "ISMEAR", 1) >= -1 and width > WIDEST:
        return f"its electrons are hot (SIGMA = {width:g} eV)"
    return ""
