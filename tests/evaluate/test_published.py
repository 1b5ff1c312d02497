"""The one table of what papers print."""

import csv
from importlib import resources

import pytest

from nucleate.evaluate.protocols import PROTOCOLS
from nucleate.evaluate.published import (
    COMPOSITIONS,
    CSP,
    OPTIMISATION,
    PER_COMPOSITION,
    PROPERTIES,
    published,
    source,
)

NAMES = {*PROTOCOLS, CSP, OPTIMISATION, COMPOSITIONS, PER_COMPOSITION, PROPERTIES}


def rows():
    text = (resources.files("nucleate.evaluate") / "published.tsv").read_text(encoding="utf-8")
    return list(csv.DictReader((t for t in text.splitlines() if not t.startswith("#")), delimiter="\t"))


def test_every_row_is_whole_and_stands_once():
    found = rows()
    keys = [tuple(r[c] for c in ("protocol", "dataset", "metric", "model")) for r in found]
    assert len(found) > 100 and len(set(keys)) == len(keys)
    for r in found:
        assert r["protocol"] in NAMES and r["source"] and None not in r and None not in r.values()
        float(r["value"])


def test_numbers_are_those_of_the_papers():
    assert published("cdvae-2022", "valid_composition", "mp-20")["CDVAE"] == 0.867
    assert published("cdvae-2022", "w_density", "mp-20")["DiffCSP"] == 0.3502
    assert "FlowMM" not in published("cdvae-2022", "w_e_form", "mp-20")  # it gives none
    assert list(published(CSP, "unfiltered_@1", "mp-20").items())[:2] == [("CDVAE", 0.339), ("DiffCSP", 0.5149)]
    assert published(CSP, "unfiltered_@20", "mp-20") == {"DiffCSP": 0.7793}
    assert published(OPTIMISATION, "sr_10", "carbon-24")["CDI"] == 0.56
    assert published(COMPOSITIONS, "novel") == {"Diffusion-LM": 0.5067, "Diffusion-BERT": 0.9798}
    assert published(PER_COMPOSITION, "delta_e") == {"UniMat - CDVAE": -0.216}
    assert published("cdvae-2022", "valid", "mp-20") == published(CSP, "unfiltered_@1", "") == {}


def test_each_number_names_its_paper():
    assert source("crystalite-2026", "sun", "Crystalite", "mp-20") == "Crystalite, 2026"
    assert "section 3.3" in source(PER_COMPOSITION, "delta_e_lowest", "UniMat - AIRSS")
    with pytest.raises(KeyError):
        source(CSP, "unfiltered_@1", "nobody", "mp-20")
