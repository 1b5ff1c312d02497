"""The table of published values."""

import csv
from importlib import resources
from pathlib import Path

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


COLUMNS = {
    "struct. valid %": "valid_structure",
    "comp. valid %": "valid_composition",
    "COV-R %": "cov_recall",
    "COV-P %": "cov_precision",
    "density W": "w_density",
    "energy W": "w_e_form",
    "# elements W": "w_elements",
}


def tables(name):
    """The tables of a page of the docs: heads, then rows, as lists of cells."""
    found, lines = [], []
    for line in [*(Path(__file__).parents[2] / "docs" / name).read_text(encoding="utf-8").splitlines(), ""]:
        if line.startswith("|"):
            lines.append([cell.strip() for cell in line.strip("|").split("|")])
        elif lines:
            found.append((lines[0], lines[2:]))
            lines = []
    return found


def quoted(text, value):
    """Whether the text is the value, rounded or cut off after its last digit."""
    unit = 10.0 ** -len(text.partition(".")[2])
    return abs(float(text) - value) < unit


def test_the_docs_quote_the_table():
    checked = 0
    for heads, rows_of_table in tables("representations.md"):
        if heads[0] not in ("MP-20", "Perov-5", "Carbon-24"):
            continue
        for label, *cells in rows_of_table:
            model = label.removesuffix(", published")
            for head, cell in zip(heads[1:], cells, strict=True):
                known = published("cdvae-2022", COLUMNS[head], heads[0].lower())
                if label.endswith(", published") and model in known:
                    assert quoted(cell, known[model] * (100 if head.endswith("%") else 1)), (label, head)
                    checked += 1
    for heads, rows_of_table in tables("results.md"):
        if heads[:4] != ["model", "samples", "match %", "RMSE"]:
            continue
        for model, samples, match, rmse, *_ in rows_of_table:
            rates = published(CSP, f"unfiltered_@{samples}", "mp-20")
            if model in rates:
                assert quoted(match, 100 * rates[model]), model
                assert not rmse or quoted(rmse, published(CSP, f"rmse_unfiltered_@{samples}", "mp-20")[model])
                checked += 1
    assert checked >= 40
