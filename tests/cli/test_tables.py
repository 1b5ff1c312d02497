"""Tables at any width: ids, formulas and space groups stay whole, and columns without room are named."""

import io
from dataclasses import replace

import pytest
from pymatgen.core import Lattice, Structure
from rich.console import Console

from nucleate.cli.candidates import doubts, radioactive, show_candidates, stability, state_sets, wishes
from nucleate.cli.tables import PIPED, TerminalColumn, output_console, show_table
from nucleate.pipeline.candidate import Candidate, Check, Energy, Failure
from nucleate.pipeline.rank import to_rows
from nucleate.pipeline.state import PredictedProperties

MADE = PredictedProperties("net", wanted={"band_gap": (1.0, 1.6)})
VALUED = replace(MADE, values={"band_gap": 1.25})
ROWS = to_rows([Candidate("a", predicted=VALUED), Candidate("b", predicted=MADE)])
SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def narrow(width: int) -> Console:
    return Console(width=width, file=io.StringIO(), markup=False, emoji=False, highlight=False)


def text_of(console: Console) -> str:
    return console.file.getvalue()  # type: ignore[attr-defined]


def shown(candidates, width: int, **options) -> str:
    console = narrow(width)
    show_candidates(console, candidates, **options)
    return text_of(console)


def candidate(name: str, height: float | None, **more) -> Candidate:
    energies = (
        {} if height is None else {"e_above_hull": Energy(height, "m", "tiny"), "e_form": Energy(-1.0, "m", "tiny")}
    )
    return Candidate(name, structure=SALT, energies=energies, **more)


COLUMNS = [
    TerminalColumn("id", ["mp-554278-and-more", ":smile: [red]x[/]"]),
    TerminalColumn("formula", ["Cs2NaNdCl6", "Ba1000Mg333Ta667O3000"]),
    TerminalColumn("space\ngroup", ["I4_1/amd", "P2_12_12_1"]),
    TerminalColumn("e_form\neV/atom", ["-1.234", "+0.001"], right=True, gives_way=1),
    TerminalColumn("reason", ["some words that may be broken over several lines", "short"], gives_way=2, folds=12),
    TerminalColumn("checks", ["5/7 charge fail", "7/7"], gives_way=3),
]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 200])
def test_ids_formulas_and_symbols_are_never_cut(width):
    console = narrow(width)
    show_table(console, COLUMNS, ["One sentence."], whole="x.csv has them")
    text = text_of(console)
    for cell in (*COLUMNS[0].cells, *COLUMNS[1].cells, *COLUMNS[2].cells):
        assert any(cell in line for line in text.splitlines()), cell
    assert "…" not in text and "One sentence." in text


def test_lists_of_oxidation_states_that_verdicts_name_are_explained():
    named = Candidate("a", checks={"charge": Check("pass", "Na+ Cl- (icsd24)")})
    assert [line.split(":")[0] for line in state_sets([named])] == ["icsd24"] and state_sets([Candidate("b")]) == []


def test_columns_give_way_by_importance_and_are_named():
    console = narrow(75)
    show_table(console, COLUMNS, whole="x.csv has them")
    words = " ".join(text_of(console).split())
    assert "-1.234" in words and "7/7" not in words
    assert 'Not shown for want of room: checks. A wider window or "| cat" shows them, and x.csv has them.' in words
    console = narrow(56)
    show_table(console, COLUMNS)
    assert "Not shown for want of room: e_form eV/atom, reason, checks." in " ".join(text_of(console).split())


def test_words_are_broken_between_lines_only():
    console = narrow(85)
    show_table(console, COLUMNS[:3] + COLUMNS[4:5])
    text = text_of(console)
    assert "over several lines" in text and "broken over several lines" not in text
    assert set(COLUMNS[4].cells[0].split()) <= set(text.split())


def test_a_pipe_gets_everything_in_long_lines(capsys):
    console = output_console()
    assert console.width == PIPED
    show_table(console, COLUMNS, ["A sentence. " * 30])
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("A sentence.") and line.rstrip().endswith("A sentence.") for line in lines)
    assert not any("Not shown" in line for line in lines)


def test_typed_text_is_printed_unchanged(capsys):
    show_table(output_console(), [TerminalColumn("id", ["[bold]a[/bold] :warning:"])], ["[red]also[/red] :smile:"])
    text = capsys.readouterr().out
    assert "[bold]a[/bold] :warning:" in text and "[red]also[/red] :smile:" in text


def test_wanted_properties_have_a_column_beside_what_was_wanted():
    made = [Candidate("a", predicted=VALUED), Candidate("b", predicted=MADE)]
    text = shown(made, 80)
    assert "+1.250" in text and "1..1.6" in text
    assert "order: steps of 0.1 eV/atom above the hull" in " ".join(text.split())
    assert "order" not in shown([Candidate("a")], 80)


def test_wishes_say_who_predicts_and_how_many_have_no_value():
    assert wishes(ROWS) == ["band_gap: wanted 1..1.6 eV; predicted by net, median 1.250 eV, 1 without"]
    assert wishes(ROWS[1:]) == ["band_gap: wanted 1..1.6 eV; predicted by net, 1 without"]
    assert wishes([]) == []


def test_a_sentence_says_how_stable_they_are():
    three = [candidate("a", 0.06), candidate("b", 0.2), candidate("c", None)]
    assert stability(three[:2]) == [
        "none of the 2 is stable: the best, a NaCl, lies 60 meV/atom above the hull of known crystals"
    ]
    (asked,) = stability(three, 0.1)
    assert asked.startswith('1 of the 2 meets "stable", at most 100 meV/atom above the hull') and "of 1 more" in asked
    assert "lies 30 meV/atom below the hull" in stability([candidate("a", -0.03)])[0]
    assert "not known" in stability([three[2]])[0]
    assert stability([Candidate("x", failure=Failure("generate", "error", "nothing"))]) == []
    doubtful = candidate("d", -2.0, checks={"hull": Check("unknown", "too deep")})
    assert "not known" in stability([doubtful])[0]


def test_missing_verdicts_have_their_reasons():
    some = [candidate(f"c{i}", 0.0, checks={"novel": Check("unknown", "no list of known crystals")}) for i in range(5)]
    assert doubts(some) == ["novel is unknown for c0, c1, c2 and 2 more: no list of known crystals"]
    assert "no list of known crystals" in shown(some, 80)


def test_radioactive_elements_are_marked():
    plutonium = Candidate("p", composition={"Pu": 1, "O": 2})
    text = shown([plutonium, Candidate("s", composition={"Si": 1, "O": 2})], 80)
    assert "PuO2 *" in text and "SiO2 *" not in text and "* holds a radioactive element: Pu" in text
    assert radioactive([{"U", "O"}, {"Tc"}]) == ["* holds a radioactive element: Tc, U"]
    assert radioactive([{"Si"}]) == []


def test_text_of_a_file_is_neither_markup_nor_emoji_nor_a_command_to_the_terminal(capsys):
    from rich.table import Table

    name = "[bold red]x[/] :smile: \x1b[2J\u202e"
    seen = "[bold red]x[/] :smile: \ufffd[2J\ufffd"
    plain = Table("name", title=name, caption=name)
    plain.add_row(name)
    output_console().print(name)
    output_console().print(plain)
    show_table(output_console(), [TerminalColumn("name", [name])], [name])
    said = capsys.readouterr().out
    assert said.count(seen) == 6 and "\x1b[2J" not in said and "\u202e" not in said
