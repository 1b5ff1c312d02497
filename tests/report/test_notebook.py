import html
import re

from pymatgen.core import Lattice, Structure
from web_page import Page

from nucleate.chem.verdict import FAIL, PASS, Verdict
from nucleate.evaluate.metric import RATE, Metric, Report, ReportSection
from nucleate.pipeline.candidate import Candidate, Energy
from nucleate.pipeline.collection import Candidates
from nucleate.report.notebook import ROWS, VIEWS

SALT = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
EVIL = "<script>alert(1)</script>\"'&"


def salt(name="a", **energies):
    given = {k: Energy(v, f"by {EVIL}", "known") for k, v in energies.items()}
    return Candidate(
        name, structure=SALT, energies=given, checks={"charge": Verdict(PASS), "distance": Verdict(FAIL, EVIL)}
    )


def frames(text):
    return [html.unescape(found) for found in re.findall(r'srcdoc="([^"]*)"', text)]


def test_a_table_and_a_frame_that_needs_no_network():
    text = Candidates([salt(e_above_hull=-0.0123), salt("b")])._repr_html_()
    page = Page(text)
    cells = [e["text"] for e in page.all("td")]
    assert "NaCl" in cells and "Fm-3m" in cells and "\u22120.012" in cells
    (frame,) = frames(text)
    inner = Page(frame)
    assert len(inner.all("canvas")) == 2
    policy = inner.one("meta", **{"http-equiv": "Content-Security-Policy"})["content"]
    assert policy.startswith("default-src 'none'") and "sha256-" in policy
    assert not re.search(r"(src|href)=", frame.split("<body>")[1].split("<script")[0])
    assert page.one("iframe")["sandbox"] == "allow-scripts"  # the frame cannot reach the notebook


def test_every_text_from_outside_is_escaped():
    bad = salt(EVIL, e_above_hull=0.1).failed("check", "error", EVIL)
    for text in (Candidates([bad, salt(EVIL)])._repr_html_(), bad._repr_html_(), salt(EVIL)._repr_html_()):
        outer = re.sub(r'srcdoc="[^"]*"', "", text)
        assert "<script" not in outer
        for frame in frames(text):
            assert "alert(1)</script>" not in frame


def test_long_lists_are_cut_and_say_so():
    text = Candidates([salt(f"c{i}") for i in range(ROWS + 3)])._repr_html_()
    assert "and 3 more" in text and frames(text)[0].count("<canvas") == VIEWS


def test_candidates_without_a_crystal_have_no_frame():
    text = Candidate("NaCl", composition={"Na": 1, "Cl": 1})._repr_html_()
    assert "iframe" not in text and "NaCl" in text
    assert "0 candidates" in Candidates()._repr_html_()


def test_nothing_has_an_id_that_two_outputs_would_share():
    text = salt()._repr_html_()
    assert ' id="' not in re.sub(r'srcdoc="[^"]*"', "", text)


def test_an_evaluation_is_its_tables():
    known = Metric("v", EVIL, RATE, 0.5, 0.4, 0.6, 1200, floor=0.9, definition=EVIL, published={EVIL: 0.7})
    report = Report("dng", EVIL, 1200, (ReportSection(EVIL, (known,), EVIL), ReportSection("none", ())), reference=EVIL)
    text = report._repr_html_()
    page = Page(text)
    (row,) = [[e["text"] for e in page.all("td")]]
    assert row == [EVIL, "50.00 %", "40.0 to 60.0", "1,200", "90.00 %", f"{EVIL} 70"]
    assert "<script" not in text and "Nothing was counted." in text
    assert Report("dng", "", 0, ())._repr_html_()
