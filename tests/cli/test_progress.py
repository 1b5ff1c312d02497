"""Lines of progress where no bar can be drawn."""

from nucleate.cli.progress import LONGEST, ProgressLines, progress_shown


def lines(steps, stop=False):
    said, now = [], [0.0]
    show = ProgressLines(said.append, lambda: now[0])
    for seconds, *call in steps:
        now[0] = seconds
        show(*call)
    if stop:
        show.stop()
    return said


def test_a_short_stage_is_one_line():
    assert lines([(i / 10, "check", i, 20) for i in range(21)]) == ["check: 20 of 20, 2 s"]


def test_lines_come_more_and_more_rarely():
    said = lines([(float(i), "relax", i, 10_000) for i in range(10_001)])
    assert said[0] == "relax: 10 of 10,000, 10 s, about 2 h 46 min to go" and said[-1].startswith("relax: 10,000 of")
    assert len(said) < 20 + 10_000 / LONGEST + 30


def test_a_resumed_stage_says_where_it_stands_and_counts_its_own_speed():
    said = lines([(0.0, "relax", 40, 50), (20.0, "relax", 45, 50)])
    assert said == ["relax: goes on, 40 of 50 were done before", "relax: 45 of 50, 20 s, about 20 s to go"]


def test_an_interrupted_stage_says_how_far_it_came():
    assert lines([(0.0, "a", 0, 5), (1.0, "a", 3, 5)], stop=True)[-1].startswith("a: 3 of 5, 1 s")


def test_a_finished_stage_is_shown_without_remaining_time():
    assert lines([(0.0, "a", 5, 5)]) == ["a: 5 of 5, 0 s"]


def test_a_pipe_gets_lines_on_standard_error(capsys):
    with progress_shown() as watch:
        watch.progress("[bold]:smile:", 3, 3)
    assert capsys.readouterr().err.startswith("[bold]:smile:: 3 of 3")
