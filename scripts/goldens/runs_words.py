"""Golden runs that only print: help texts, refusals, tables of families, verdicts on formulas."""

from __future__ import annotations

from run import Run

COMMANDS = [
    *("", "design", "generate", "compose", "predict", "substitute", "order", "screen", "optimise", "check", "relax"),
    *("phonons", "rank", "show", "families", "known", "train", "season", "plugins", "doctor"),
    *("data", "data get", "data add", "data list", "data prepare"),
    *("hull", "hull run", "hull show", "hull build", "dft", "dft run", "dft inputs", "dft parse"),
    *("evaluate", "evaluate dng", "evaluate compositions", "evaluate compare", "evaluate optimisation", "evaluate csp"),
]
REQUESTS = """
Xx2O3 | !! | "Li-Fe-O" -n -3 | "Li-Fe-O, -3 candidates" | SrTiO3 --num-atoms 10000 | "Li ? O4" | --elements Li,Zz
"NaCl, hardness=3" | anything -p hardness=low | anything -p gap=2..1 | NaCl --lattice-shape round | NaCl --sampler fast
anything --temperature 0 | --fix missing.cif | NaCl --weights none | anything --exclude Xx | "NaCl, 3 atoms"
"MgO, space group 225" --space-group 62 | --elements Li,Fe "Na-Cl" | Na-Cl -p gap=1 --judge none
CO2 --weights carbon24-cdi | "an oxide of titanium, cubic" | "an oxide and no oxygen" | Ca5P3O12F
"Li-Fe-O, 30 atoms" | anything --sites Na
""".replace("\n", " | ").split(" | ")
DESIGNS = """
RnF2 | --resume nowhere | NaCl --reference none | NaCl --potential none | NaCl --fmax -1 | NaCl --second chgnet
NaCl --second mace:x | --contains Ti --exclude Ti --generator diffusion-bert | --contains Ti --generator diffusion-lm
--resume nowhere --exclude Pb | RaO | Po-O | SrTiO3 --search magic | SrTiO3 --templates nosuch | NaCl --phonons -1
SrTiO3 --objective magic=1 | NaCl --out file | NaCl --oversample 0 | SrTiO3 --llm http://127.0.0.1:9/v1 --no-retrieval
"a spinel" --llm localhost | "a spinel" --width 7 --formulas 3 --search beam | anything --known nosuch
"a spinel" --generator lexicon --fix cell.cif | NaCl --generator lexicon | NaCl --evaluations 3 | NaCl --steps -1
""".replace("\n", " | ").split(" | ")
OTHERS = """
compose NaCl | compose --weights nosuch | compose "Li ? ?" --num-elements 9 --out x.doc | compose -n 0
predict Xx2O | predict NaCl --method magic | predict NaCl --templates nosuch | predict NaCl --rank-by magic | predict
predict NaCl --volume magic | predict RaO --relax | predict NaCl --relax --potential magic | predict Fe71O5
predict NaCl --relax --reference nosuch | predict Na-Cl --method template | predict Na-Cl --sites Na | predict Fe0O
predict NaCl --method transformer --weights nosuch | predict NaCl --space-group common:0 | predict Og2O
predict NaCl --method retrieval --volume copy | predict Na-Cl --method retrieval
check missing.cif | check Xx2O | relax missing.cif --out x.jsonl | relax cell.cif --out x.doc | relax cell.cif
hull show Li-Zz | hull run nosuch.jsonl | hull run cell.cif | hull build --out x.parquet --dataset nosuch
rank missing.jsonl | rank missing.jsonl --known nosuch | rank cell.cif --out x.doc | show missing | show nosuch.cif
season missing.toml --out x
phonons nosuch.cif --out p.jsonl | train missing.toml --out x | train --out x | train --out x --from mp20-dng
train --out x --from mp20-dng --property p --dataset nowhere | data get imagenet | data prepare nosuch --out x
data add mp-20 cell.cif | data add mine missing.cif | data add mine cell.cif --fractions 1,1 | optimise mp20-dng
optimise nothing | optimise mp20-cds -p magic | optimise mp20-cds | families spinell | magic | design --magic
evaluate dng cell.cif --protocol cdvae | evaluate dng nothing.extxyz | evaluate dng cell.cif --relax 3
evaluate dng cell.cif --e-above-hull hull | evaluate dng x --potential none | evaluate csp --weights nosuch
evaluate dng x --relax 3 --out r --potential property-mp20 | evaluate csp --predictions nosuch.jsonl
evaluate csp --dataset nosuch | evaluate csp --protocol nosuch | evaluate compositions nosuch.txt
evaluate compositions cell.cif --column x --train cell.cif | evaluate compare cell.cif cell.cif --e-form x
evaluate optimisation cell.cif --dataset carbon-24 | evaluate optimisation cell.cif --value gap
dft inputs cell.cif --out in --code nosuch | dft inputs cell.cif --out in --code qe --pseudos nowhere
dft parse nowhere | dft run nowhere | dft run cell.cif --wall-time soon | dft run cell.cif --engine nosuch --out d
dft run cell.cif --preset x | substitute cell.cif | substitute cell.cif -s Na | substitute cell.cif -s Mg=Ca
substitute nosuch.cif -s Na=K | substitute cell.cif -s Na=Xx | substitute cell.cif -s Na=K --sites some | screen
screen nosuch.cif | screen cell.cif --potential magic | screen --resume nowhere | screen cell.cif --reference none
design --config nosuch.toml | known SrTiO4 | known Xx2O3 | known Li-Zz-O | known mp-999999999
known --prototype perovskit
known --prototype ABC3_cP5_221_a_b_d | known --space-group Pmna3 | known --anonymous abc | known SrTiO3 --gap 2..1
known SrTiO3 --space-group 225 --gap 1..9 | known --exact | known SrTiO3 --stable --e-above-hull ..0.1
known SrTiO3 --out x.doc | known SrTiO3 --out x.cif | known NaCl --hide mp-20:tset | known NaCl --hide mp-999999999
""".replace("\n", " | ").split(" | ")
FILES = """py:
from pymatgen.core import Lattice, Structure
Structure(Lattice.cubic(3.4), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]).to(filename="cell.cif")
open("file", "w").close()
open("old.jsonl", "w").write('{"id": "c1"}\\n{"broken\\n')
open("bad.cif", "w").write("data_x\\nloop_\\n_atom_site_label\\n")
open("recipe.toml", "w").write('name = "x"\\n[network]\\ndmi = 3\\n')
"""
FILED = (
    "show old.jsonl",
    "show bad.cif",
    "rank old.jsonl",
    "check bad.cif",
    "train recipe.toml --out x",
    "season recipe.toml --out x",
)


def steps(command: str, lines: list[str]) -> tuple[str, ...]:
    return tuple(f"{command} {line}".strip() for line in lines if line)


WORDS = [
    Run("help", tuple(f"{command} --help".strip() for command in COMMANDS), kind="help"),
    Run("version", ("--version",)),
    Run("refusals-of-requests", (FILES, *steps("generate", REQUESTS), *steps("design", REQUESTS[:6])), kind="refusals"),
    Run("refusals-of-design", (FILES, *steps("design", DESIGNS)), kind="refusals"),
    Run("refusals", (FILES, *steps("", OTHERS), *FILED), kind="refusals"),
    Run(
        "families",
        (
            "families",
            "families elpasolites --top 3",
            "families 'half-Heusler' --top 2",
            "families Y3Al5O12",
            "families K2AgSbCl6",
            "families Li7La3Zr2O13",
        ),
    ),
    Run(
        "known",
        (
            "known",
            "known SrTiO3",
            "known Li-Fe-O --stable -o stable.jsonl",
            "known --prototype garnet --top 5",
            "known --space-group Pnma --anonymous ABC3 --gap 1..2 --experimental -o some.csv",
            "known mp-149 -o silicon.cif",
            "known MgO --stable --hide mp-20:val,test -o magnesia.extxyz",
        ),
    ),
    Run(
        "check-formulas",
        (
            "check SrTiO3 NaCl2 Fe3O4 CuSO4.5H2O Li0.5CoO2 SrTi03 -o verdicts.csv",
            "check FeS2 Fe3O4 --states smact14",
            "check FeS2 Fe3O4 --states icsd24-3 -o verdicts.jsonl",
            "py:open('formulas.csv', 'w').write('formula,x\\nKCl,1\\nNa2O,2\\nXx,3\\nCaC12,4\\n')",
            "check formulas.csv --column formula --all",
        ),
    ),
    Run("doctor", ("doctor",)),
]
