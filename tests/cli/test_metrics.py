"""Tables of metrics at 80 columns: no name is cut, and columns without room are named."""

import io

from rich.console import Console

from nucleate.cli.dft import print_rows
from nucleate.cli.metrics import show_report
from nucleate.cli.tables import counted_noun
from nucleate.evaluate.metric import RATE, Metric, Report, ReportSection


def narrow(width: int = 80) -> Console:
    return Console(width=width, file=io.StringIO(), markup=False, emoji=False, highlight=False)


def test_names_of_metrics_are_whole_and_columns_without_room_are_named():
    label = "structures whose composition balances by the states of the ICSD, SMACT icsd24"
    rate = Metric("m", label, RATE, 0.5, low=0.4, high=0.6, n=1000, floor=0.9, published={"A model of words": 0.4})
    for width in (80, 50):
        console = narrow(width)
        show_report(console, Report("dng", "x", 1000, (ReportSection("Validity", (rate,)),)))
        text = console.file.getvalue()
        assert all(word in text for word in label.split()) and "50.00 %" in text and "…" not in text
        assert ("Not shown for want of room" in text) == (width == 50)


def test_a_row_of_dft_has_its_energies_at_80_columns():
    row = {
        "id": "K2AgSbCl6-1_K2AgSbCl6", "formula": "K2AgSbCl6", "atoms": 10, "a": 10.123, "b": 10.123, "c": 7.234,
        "volume_change": 1.2, "e_form": -1.5, "e_form_mp2020": -1.9, "e_above_hull": 0.012, "lower_bound": True,
        "difference": -0.01, "seconds": 300, "status": "done", "reason": "", "method": "PBE", "missing": "",
    }  # fmt: skip
    console = narrow()
    print_rows([row], console)
    text = console.file.getvalue()
    assert "K2AgSbCl6-1_K2AgSbCl6" in text and ">= +0.012" in text and "-1.900" in text
    assert "Not shown for want of room" in text and max(map(len, text.splitlines()[:6])) <= 80


def test_numbers_of_things():
    assert (
        counted_noun(1, "crystal") == "1 crystal" and counted_noun(2000, "phase is", "phases are") == "2,000 phases are"
    )
