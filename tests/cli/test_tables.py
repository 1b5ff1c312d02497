from rich.console import Console

from nucleate.cli.tables import table, wishes
from nucleate.pipeline.candidate import Candidate
from nucleate.pipeline.rank import to_rows

MADE = {"wanted": {"band_gap": [1.0, 1.6]}, "predicted_by": "net"}
ROWS = to_rows([Candidate("a", provenance=MADE | {"predicted": {"band_gap": 1.25}}), Candidate("b", provenance=MADE)])


def test_wanted_properties_have_a_column_beside_what_was_wanted():
    console = Console(width=80, record=True)
    console.print(table(ROWS))
    text = console.export_text()
    assert "+1.250" in text and "1..1.6" in text
    assert "order: steps of 0.1 eV/atom above the hull" in " ".join(text.split())
    console.print(table(to_rows([Candidate("a")])))
    assert "order" not in console.export_text()


def test_wishes_say_who_predicts_and_how_many_have_no_value():
    assert wishes(ROWS) == ["band_gap: wanted 1..1.6 eV; predicted by net, median 1.250 eV, 1 without"]
    assert wishes(ROWS[1:]) == ["band_gap: wanted 1..1.6 eV; predicted by net, 1 without"]
    assert wishes([]) == []
