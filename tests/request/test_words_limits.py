"""Any text gives a request or an error of one line, in a time that grows linearly with its length."""

import random
import time

import pytest

from nucleate.errors import NucleateError
from nucleate.request.parse import parse_request
from nucleate.request.words import MOST_CHARACTERS

PIECES = (
    "a ",
    "1",
    "1 ",
    "(",
    "[(",
    ", ",
    "-",
    "- ",
    "Fe-",
    "Li-Fe-O-",
    "Fe, ",
    "no Fe ",
    "without Fe, ",
    "Fe-free ",
    "\u200b\u202e",
    "铅 ",
    "á ",
    "\x00 ",
    "Tc above 20 K ",
    "spinell ",
    "one to ",
    "1:",
    "band gap above ",
    "SrTiO3",
    "Sr(",
    "A2B",
    "aaa=1..",
    "Li ? ",
    "Fe instead of Co ",
    "replace Fe by Co ",
    "only ",
    "1e5 ",
    "1,000,000",
    "space group ",
    "ternary or ",
    "lead- and ",
    "5 Fe oxides ",
    "5 atoms in the ",
    "5-",
    "5 K/",
    "x",
)
VOCABULARY = """
without no not non- but and or , . ; : with of in lead Pb Fe Co I In As No At K V Tc Ti iron tin oxide oxides
nitride halide spinel perovskites garnet MAX phase TiO2 SrTiO3 Li-Fe-O K2NiF4-type CuSO4.5H2O Li1/2CoO2
(Ba,Sr)TiO3 free -free excluded neither nor except anything than other instead replace by for like 4 10 2.5 -3
300 V K eV meV/atom GPa T atoms elements candidates at most least under between more fewer band gap formation
energy hull stable new known ternary binary cubic space group Pnma 225 1:1:2 two to one only cathode layered
rare earths toxic non-toxic metal alloy dioxide oxynitride ? * = < >= ( ) + - / & % Tc= n=2 20x ABO3 double
half-Heusler Fe3+ the a any some does contain must formula 1e400 0 e_form=-3 band_gap=1..2 unknown type
structure sites polar superconductor é β ≥ lead-free"""


@pytest.mark.parametrize("piece", PIECES)
def test_time_grows_with_the_length(piece):
    parse_request("a spinel")  # so that the lexicon is loaded
    text = (piece * MOST_CHARACTERS)[:MOST_CHARACTERS]
    start = time.process_time()
    try:
        parse_request(text)
    except NucleateError as error:
        assert "\n" not in str(error) and len(str(error)) < 1000
    assert time.process_time() - start < 3  # it takes 0.2 to 0.5 s; with quadratic time it would be 40


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(NucleateError, match="at most 20,000 characters, not 30,000"):
        parse_request("oxide " * 5000)


def test_random_texts_never_raise_other_errors():
    rng, words = random.Random(29), VOCABULARY.split()
    for n in range(1500):
        text = ("" if n % 20 == 0 else " ").join(rng.choice(words) for _ in range(rng.randint(1, 14)))
        try:
            assert parse_request(text).describe()
        except NucleateError as error:
            assert "\n" not in str(error)
