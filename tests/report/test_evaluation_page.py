import math
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from web_page import Page

from nucleate.errors import NucleateError
from nucleate.evaluate.measures.statistics import Distance, Mean, rate
from nucleate.evaluate.metric import (
    COUNT,
    Metric,
    Report,
    ReportSection,
    Series,
    format_interval,
    format_published,
    format_value,
    metric,
)
from nucleate.report.evaluation_charts import MOST_CATEGORIES, bin_edges, categories, evaluation_charts
from nucleate.report.evaluation_page import headlines, render_evaluation, write_page
from nucleate.report.strips import nice_ticks, own_axis, rate_axis, strip

EVIL = "</style></title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def full_report(**changes):
    """A report with everything that one can have."""
    known = {"CDVAE": 0.867, "UniMat": 0.894}
    validity = (
        metric("valid_structure", "structure", rate(998, 1000), "no two atoms too near", published={"CDVAE": 1.0}),
        metric("valid_composition", "composition", rate(833, 1000), "charge neutral", published=known),
        metric("valid", "both", rate(831, 1000), "all of the above").with_(floor=0.904),
    )
    distances = (
        metric("w_density", "density", Distance(0.361, 0.27, 0.5, 1000, 9046), "Wasserstein", unit="g/cm3").with_(
            floor=0.07, published={"CDVAE": 0.6875}
        ),
        metric("e_form", "e_form, mean", Mean(-0.85, -0.92, -0.78, 507), "where known", unit="eV/atom"),
        metric("pairs", "pairs", 12345, "how many"),
    )
    fields = {
        "task": "dng",
        "subject": "crystals.extxyz",
        "n": 1000,
        "sections": (
            ReportSection("cdvae-2022: validity", validity, "Over all crystals."),
            ReportSection("cdvae-2022: distances", distances),
            ReportSection("cdvae-2022: stability", (), "Not judged: no crystal has an energy."),
        ),
        "reference": "mp-20:test",
        "floor": "1,000 of mp-20:train",
        "protocol": {
            "cdvae-2022": {
                "name": "cdvae-2022",
                "title": "validity and coverage",
                "source": "Xie et al.",
                "stol": 0.3,
                "cov_cutoffs": {"mp-20": (0.4, 10.0)},
                "samples": None,
                "strict": False,
                "notes": ("published figures use 10,000",),
            }
        },
        "failures": (("a", "read", "no cell"), ("b", "energy", "not finite")),
        "settings": {"seed": 7, "notes": ["3 files were passed over"]},
        "seconds": {"crystals": 75.0, "coverage": 2.0},
        "series": (
            Series("Density", "g/cm3", {"made": [1.0, 2.0, 2.5, math.nan], "real": [1.0, 3.0, 3.5]}),
            Series("Atoms", "atoms", bars={"made": {"10": 3, "2": 1}, "real": {"2": 4}}),
        ),
    }
    return Report(**{**fields, **changes})


def svgs(text):
    """Outermost SVG elements, parsed as XML."""
    out, depth, start = [], 0, 0
    for m in re.finditer(r"<svg\b[^>]*>|</svg>", text):
        if m[0] == "</svg>":
            depth -= 1
            if depth == 0:
                out.append(ET.fromstring(text[start : m.end()]))
        else:
            start = m.start() if depth == 0 else start
            depth += 1
    assert depth == 0
    return out


def test_every_label_and_number_is_on_the_page_as_the_terminal_prints_it():
    report = full_report()
    page = Page(render_evaluation(report))
    rows = [e["text"] for e in page.all("tr")]
    for section in report.sections:
        for m in section.metrics:
            (row,) = [r for r in rows if r.startswith(m.label + m.definition)]
            for text in (format_value(m, m.value), format_interval(m), format_published(m), f"{m.n:,}"):
                assert text in row
            assert m.floor is None or format_value(m, m.floor) in row
        assert section.note in page.text("main")
    assert "-0.8500 eV/atom" in page.text("main")
    header = page.text("header")
    for text in ("crystals.extxyz", "1,000 crystals", "mp-20:test", "1,000 of mp-20:train", "3 files were passed over"):
        assert text in header
    assert "De novo generation" in page.text("p", class_="task")
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", page.text("time"))


def test_protocol_settings_and_times_are_named():
    page = Page(render_evaluation(full_report()))
    (card,) = page.all("article")
    for text in ("Xie et al.", "published figures use 10,000", "stol0.3", "mp-20: 0.4, 10", "samplesnone", "strictno"):
        assert text in card["text"]
    provenance = page.text("table", class_="provenance")
    for text in ("seed7", "time in all1 min 17 s", "Python", "nucleate"):
        assert text in provenance
    assert "crystals 1 min 15 s" in page.text("ul", class_="stages")


@pytest.mark.parametrize("protocol", [{}, {"stol": 0.3, "x": None}, {"p": {}}, {"p": {"notes": "one", 3: [1, [2]]}}])
def test_any_mapping_will_do_as_a_protocol(protocol):
    page = Page(render_evaluation(full_report(protocol=protocol)))
    assert len(page.all("article")) == bool(protocol)


def evil_reports():
    m = metric("x", "x", rate(1, 2), "x").with_(floor=0.5)
    places = ("name", "label", "unit", "definition")
    yield from (full_report(sections=(ReportSection("s", (m.with_(kind="mean", **{p: EVIL}),)),)) for p in places)
    yield full_report(sections=(ReportSection("s", (m.with_(published={EVIL: 0.5}),)),))
    yield full_report(sections=(ReportSection(EVIL, (m,), EVIL), ReportSection(EVIL, ())))
    yield from (full_report(**{p: EVIL}) for p in ("task", "subject", "reference", "floor"))
    yield full_report(protocol={EVIL: {EVIL: EVIL, "title": EVIL, "notes": [EVIL]}, EVIL + "2": EVIL})
    yield full_report(sections=(ReportSection(f"{EVIL}: s", (m,)),), protocol={EVIL: {}, "other": {}})
    yield full_report(failures=((EVIL, EVIL, EVIL),) * 9, settings={EVIL: EVIL, "notes": [EVIL]}, seconds={EVIL: 1.0})
    yield full_report(
        series=(
            Series(EVIL, EVIL, {EVIL: [1.0, 2.0, math.inf], EVIL + "2": [3.0]}),
            Series(EVIL, EVIL, bars={EVIL: {EVIL: 3.0, "b": 4.0}, EVIL + "2": {"1": 3.0, EVIL: 2.0}}),
        )
    )


@pytest.mark.parametrize("report", evil_reports(), ids=range(14))
def test_no_text_can_become_markup_or_code(report):
    page = Page(render_evaluation(report))
    assert page.all("script") == page.all("img") == []
    assert len(page.all("style")) == 1
    assert not any(k.startswith("on") for e in page.elements for k in e if k not in ("tag", "text"))
    assert svgs(page.source)


def test_the_page_needs_nothing_from_outside_and_no_script():
    page = Page(render_evaluation(full_report()))
    policy = next(e["content"] for e in page.all("meta") if e.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy
    assert page.all("script") == []
    assert not re.findall(r"url\(|@import|https?:|//[a-z]", page.source)
    ids = {e["id"] for e in page.elements if "id" in e}
    links = [e["href"] for e in page.all("a")]
    assert links and all(link.startswith("#") and link[1:] in ids for link in links)
    for e in page.elements:
        assert not {"src", "action", "data"} & set(e)


def test_each_picture_is_well_formed_and_described():
    report = full_report()
    drawn = svgs(render_evaluation(report))
    pictures = [s for s in drawn if s.get("aria-hidden") != "true"]
    assert all(s.get("role") == "img" and s.get("aria-label") for s in pictures)
    labels = " | ".join(s.get("aria-label") for s in pictures)
    assert "composition: 83.30 %; 95 % interval 80.9 to 85.5; published: CDVAE 86.7, UniMat 89.4" in labels
    assert "Histogram of Density: made (n = 3, 1 not finite left out), real (n = 3)" in labels


def test_an_empty_report_is_a_page():
    page = Page(render_evaluation(Report("dng", "", 0, ())))
    assert page.text("h1") == "unnamed"
    assert "0 crystals" in page.text("header")
    assert page.all("figure") == page.all("li") == []
    again = Page(
        render_evaluation(Report("something new", "x", 3, (ReportSection("Nothing", ()),), series=(Series("t", "a"),)))
    )
    assert "3 items" in again.text("header")
    assert "Nothing was counted." in again.text("main")
    assert again.all("figure") == []


def test_one_crystal_is_enough():
    sections = (
        ReportSection("s", (metric("valid", "both", rate(1, 1), "d"), metric("none", "none", rate(0, 0), "d"))),
    )
    series = (Series("Density", "g/cm3", {"a": [2.5], "b": []}), Series("Atoms", "atoms", bars={"a": {"1": 1.0}}))
    page = Page(render_evaluation(Report("dng", "x", 1, sections, series=series)))
    assert "1 crystal" in page.text("header") and "1 crystals" not in page.text("header")
    assert "100.00 %" in page.text("main")
    assert "noned-" in [e["text"] for e in page.all("tr")]
    assert len(page.all("figure")) == 2


def test_numbers_that_are_not_finite_are_printed_and_not_drawn():
    bad = Metric(
        "x", "x", "mean", math.nan, -math.inf, math.inf, 3, floor=math.nan, published={"a": math.nan, "b": 2.0}
    )
    series = (
        Series("nothing", "u", {"a": [math.nan, math.inf]}),
        Series("some", "u", {"a": [math.nan, 1.0, 1e308, -1e308, 2.0]}),
        Series("bars", "u", bars={"a": {"1": math.nan, "2": 3.0}}),
        Series("zero", "u", bars={"a": {"1": 0.0}}),
    )
    page = Page(render_evaluation(full_report(sections=(ReportSection("s", (bad,)),), series=series)))
    assert "nan" in page.text("table", class_="metrics")
    for s in svgs(page.source):
        numbers = " ".join(v for e in s.iter() for k, v in e.attrib.items() if k in ("x", "y", "width", "height", "d"))
        assert "nan" not in numbers and "inf" not in numbers
    keys = [e["text"] for e in page.all("ul", class_="key")]
    assert keys[0] == "a n = 0, 2 not finite left out"
    assert keys[1] == "a n = 2, 3 not finite left out"
    assert keys[2] == "a n = 3, 1 not finite left out"
    assert page.source.count("No value to draw.") == 2
    assert headlines(full_report(sections=(ReportSection("s", (bad,)),))) == []


def places(drawn, kind):
    (root,) = svgs(drawn)
    return [float(e.get("x").removesuffix("%")) for e in root.iter() if e.get("class") == kind]


def test_a_strip_shows_value_interval_floor_and_published_values_where_they_are():
    m = Metric("x", "x", "rate", 0.5, 0.4, 0.6, 9, floor=0.75, published={"A": 0.1, "B<": 1.0})
    drawn = strip(m, rate_axis([m]))
    assert places(drawn, "value") == [50]
    assert places(drawn, "floor") == [75]
    assert places(drawn, "tick") == [10, 100]
    assert places(drawn, "interval") == [40]
    (root,) = svgs(drawn)
    (bar,) = [e for e in root.iter() if e.get("class") == "interval"]
    assert bar.get("width") == "20.00%"
    titles = [e.text for e in root.iter() if e.tag == "title"]
    assert titles == ["A 10 %", "B< 100 %", "95 % interval: 40.0 to 60.0", "50.00 %", "real data: 75.00 %"]
    assert strip(m.with_(value=None, low=None, floor=None, published={}, high=None), rate_axis([m])) == ""
    assert strip(m.with_(kind=COUNT, value=3), None) == ""


def test_distances_run_from_zero_to_the_largest_value_of_their_row():
    m = Metric("x", "x", "distance", 0.5, 0.4, 0.6, 9, published={"A": 2.0})
    assert places(strip(m, None), "value") == [25]
    assert [e.text for e in svgs(strip(m, None))[0].iter("text")] == ["0", "2"]
    negative = m.with_(value=-0.5, low=-1.0, high=0.0, published={})
    assert (own_axis(negative).low, own_axis(negative).high) == (-1, 0)
    assert places(strip(negative, None), "value") == [50]
    assert places(strip(m.with_(value=0.0, low=0.0, high=0.0, published={}), None), "value") == [0]


def test_the_axis_of_rates_is_zoomed_only_where_all_lie_at_one_end():
    def axis(*values):
        return rate_axis([Metric("x", "x", "rate", v) for v in values])

    for values in ((0.79, 0.99), (0.01, 0.9), (0.5,)):
        assert (axis(*values).low, axis(*values).high) == (0, 1)
    high = axis(0.831, 0.999)
    assert high.low == pytest.approx(0.8)
    assert high.high == 1
    assert [high.text(t) for t in high.ticks] == ["80\u00a0%", "85\u00a0%", "90\u00a0%", "95\u00a0%", "100\u00a0%"]
    assert axis(1.0).low == pytest.approx(0.98)
    assert (axis(0.002, 0.03).low, axis(0.002, 0.03).high) == (0, pytest.approx(0.04))
    assert axis() is None
    published = Metric("x", "x", "rate", 0.9, published={"A": 0.3})
    assert rate_axis([published]).low == 0


@pytest.mark.parametrize("low, high", [(0, 1), (-3.4, 0.7), (1e-9, 3e-9), (0, 1e300), (99.98, 100), (0, 0.37)])
def test_ticks_are_few_and_inside(low, high):
    ticks = nice_ticks(low, high)
    assert 2 <= len(ticks) <= 7
    step = ticks[1] - ticks[0]
    assert all(low - 1e-6 * step <= t <= high + 1e-6 * step for t in ticks)


def test_bins_cover_the_middle_and_the_outermost_hold_the_tails():
    values = np.concatenate([np.random.default_rng(0).normal(size=5000), [1e6]])
    edges = bin_edges(values)
    assert 20 <= len(edges) - 1 <= 60
    assert edges[0] == pytest.approx(np.quantile(values, 0.005, method="lower"))
    assert edges[-1] < 4
    page = Page(evaluation_charts([Series("t", "eV", {"a": values.tolist()})]))
    above = int((values > edges[-1]).sum())
    assert re.search(rf"the outermost bins hold \d+ below .* and {above} above", page.text("figcaption"))
    shares = [float(re.search(r": a ([\d.e-]+)\s%", e["text"])[1]) for e in page.all("rect", class_="target")]
    assert sum(shares) == pytest.approx(100, abs=0.5)
    assert shares[-1] >= 100 * above / len(values) - 0.01


def test_bins_suit_whole_numbers_and_one_value():
    whole = bin_edges(np.arange(1.0, 21.0).repeat(50))
    assert whole.tolist() == [i + 0.5 for i in range(21)]
    one = bin_edges(np.array([3.3, 3.3]))
    assert one[0] < 3.3 < one[-1]
    assert len(bin_edges(np.array([0.0] * 99 + [0.5]))) - 1 >= 20  # no spread between the quartiles


def test_the_height_of_an_outline_is_its_share():
    page = Page(evaluation_charts([Series("t", "u", {"a": [0.0] * 3 + [1.5], "b": [0.0] + [1.5] * 3})]))
    heights = [{float(v) for v in re.findall(r"V([\d.]+)", e["d"])} for e in page.all("path")]
    assert [e["class"] for e in page.all("path")] == ["set0", "set1"]
    assert heights[0] == heights[1]
    assert min(heights[0]) == pytest.approx(190 * (1 - 1 / 1.05), abs=0.01)


def test_categories_keep_their_order_and_few_are_left_out():
    assert categories({"a": {"b": 1, "a": 2}, "r": {"c": 1}}) == (
        ["b", "a", "c"],
        {"a": {"b": 1, "a": 2}, "r": {"c": 1}},
        "",
    )
    assert categories({"a": {"10": 1, "9": 2}, "r": {"-1": 1}})[0] == ["-1", "9", "10"]
    made = {f"e{i}": 1.0 for i in range(40)}
    real = {f"e{i}": float(i) for i in range(30)}
    shown, sets, rest = categories({"made": made, "real": real})
    assert shown == [f"e{i}" for i in range(6, 30)] + ["other (16)"]
    assert len(shown) == MOST_CATEGORIES + 1
    assert sets["made"][rest] == 16
    assert sets["real"][rest] == sum(range(6))
    assert sum(sets["real"].values()) == sum(real.values())


def test_bars_are_shares_of_counts_and_shares_as_they_are():
    page = Page(evaluation_charts([Series("t", "atoms", bars={"a": {"1": 30, "2": 10}, "b": {"1": 0.2, "2": 0.8}})]))
    tips = [e["text"] for e in page.all("rect", class_="target")]
    assert tips == ["1: a 75\u00a0%; b 20\u00a0%", "2: a 25\u00a0%; b 80\u00a0%"]
    assert [e["text"] for e in page.all("li")] == ["a n = 40", "b "]
    names = Page(evaluation_charts([Series("t", "system", bars={"a": {"cubic": 3, "a very long name of it": 1}})]))
    assert "a very long na\u2026" in [e["text"] for e in names.all("text")]
    assert names.text("figcaption") == "share by system"


def test_values_off_the_scale_are_named():
    many = {f"e{i}": 1 for i in range(100)}
    page = Page(evaluation_charts([Series("t", "element", bars={"a": many})]))
    assert page.text("figcaption") == "share by element; other (76) is off the scale: 76\u00a0%"
    widths = [float(e["width"].removesuffix("%")) for e in page.all("rect", class_="set0")]
    assert len(widths) == 25
    assert max(widths) == 100


def test_overlapping_shares_are_not_added_up():
    many = {f"e{i}": 0.5 for i in range(30)}
    page = Page(evaluation_charts([Series("t", "share", bars={"a": many, "r": many})]))
    assert page.text("figcaption") == "share; other (6) not shown"
    assert len(page.all("rect", class_="set1")) == 24


def test_failures_are_grouped_named_and_bounded():
    failures = [(f"crystal {i}", "energy", "not finite") for i in range(300)]
    failures += [("odd", "read", "no cell")] + [(f"k{i}", "unique", f"reason {i}") for i in range(20)]
    page = Page(render_evaluation(full_report(failures=tuple(failures))))
    rows = [e["text"] for e in page.all("tr")]
    assert "300energynot finitecrystal 0, crystal 1, crystal 2, crystal 3, crystal 4, \u2026" in rows
    assert "1readno cellodd" in rows
    rest = [r for r in rows if re.match(r"(crystal \d+|k\d+)(energy|unique)", r)]
    assert len(rest) == 200
    assert [r.startswith("k") for r in rest] == [True] * 10 + [False] * 190  # reasons that are not above come first
    assert rest[10].startswith("crystal 5energy")
    assert "200 more by name, 105 in report.json" in page.text("details", class_="more")
    few = Page(render_evaluation(full_report()))
    assert few.all("details", class_="more") == []
    assert "report.json" not in few.text("main")


def test_headlines_are_those_of_the_task_that_are_there():
    assert [m.name for m, _ in headlines(full_report())] == ["valid", "w_density"]
    page = Page(render_evaluation(full_report()))
    tiles = page.text("ul", class_="tiles")
    for text in ("83.10 %", "valid", "95 %: 80.7 to 85.3", "real data 90.40 %", "0.3610 g/cm3"):
        assert text in tiles
    other = full_report(task="compositions")
    assert [m.name for m, _ in headlines(other)] == ["valid_structure", "valid_composition", "valid"]
    assert headlines(Report("dng", "x", 0, ())) == []


def test_the_page_is_written_whole_or_not_at_all(tmp_path):
    path = write_page(tmp_path / "report.html", full_report(subject="caf\u00e9 \udcff"))
    assert "caf\u00e9 ?" in path.read_text(encoding="utf-8")
    (tmp_path / "file").write_text("")
    with pytest.raises(NucleateError, match=r"cannot write .*report.html"):
        write_page(tmp_path / "file" / "report.html", full_report())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "report.html"]
