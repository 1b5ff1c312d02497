import base64
import hashlib
import json
import re
from urllib.parse import unquote

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure
from web_page import Page

from nucleate.errors import NucleateError
from nucleate.pipeline.candidate import Candidate, Check, Energy
from nucleate.pipeline.state import HullPlace, NearestKnown, Novelty, PredictedProperties
from nucleate.report.charts import histogram, hull_hue, timing_bar
from nucleate.report.markup import duration_text, embedded_json, formula_html, space_group_html
from nucleate.report.run_page import write_report
from nucleate.report.scene import drawn_cell, drawn_elements, scene

STO = Structure.from_spacegroup(221, Lattice.cubic(3.905), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5] * 3, [0.5, 0.5, 0]])
NACL = Structure.from_spacegroup(
    225, Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3]
).get_primitive_structure()
EVIL = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def candidate(name, structure, above=0.01, **changes):
    energies = {
        "energy": Energy(-6.0, "CHGNet 0.3.0"),
        "e_form": Energy(-1.5, "CHGNet 0.3.0", "chgnet-mp"),
        "e_above_hull": Energy(above, "CHGNet 0.3.0", "chgnet-mp"),
    }
    checks = {
        "charge": Check("pass", "Sr2+ Ti4+ O2-"),
        "density": Check("unknown", "no radii"),
        "relaxed": Check("pass"),
        "novel": Check("pass"),
    }
    return Candidate(name, structure=structure, **{"energies": energies, "checks": checks, **changes})


def page(tmp_path, candidates, request="SrTiO3", settings=None, seconds=None):
    path = write_report(tmp_path / "report.html", candidates, request, settings or {}, seconds or {})
    return Page(path.read_text(encoding="utf-8"))


def test_ranked_candidates_are_in_the_table_in_their_order(tmp_path):
    found = page(tmp_path, [candidate("a", STO), candidate("b", NACL, 0.25)])
    heads = [e["text"] for e in found.all("th", scope="row") if "data-v" in e]
    assert heads == ["SrTiO3", "NaCl"]
    rows = [e["text"] for e in found.all("tr") if "data-n" in e]
    assert "Pm3m 221" in rows[0]
    assert "Fm3m 225" in rows[1]
    assert "0.250" in rows[1]
    marks = [e for e in found.all("span", role="img")]
    assert any(e["title"] == "charge: pass (Sr2+ Ti4+ O2-)" and e["class"] == "check pass" for e in marks)
    assert any(e["title"] == "density: unknown (no radii)" and e["class"] == "check unknown" for e in marks)


def test_the_nearest_known_crystal_is_named(tmp_path):
    nearest = NearestKnown("mp-1", "SrHfO3", "same structure type", "Ti for Hf; " + EVIL)
    ordering = Check("unknown", "ordering of Sr(Ti,Zr)O3: ...")
    one = candidate("a", STO, checks={"novel": ordering}, novelty=Novelty("ordering of", ("mp-1",), nearest))
    found = page(tmp_path, [one, candidate("b", NACL)])
    said = [e["text"] for e in found.all("p") if e["text"].startswith("nearest known crystal")]
    assert said == [f"nearest known crystal: mp-1 SrHfO3: same structure type; Ti for Hf; {EVIL}"]
    tags = [e for e in found.all("span") if "tag" in e.get("class", "")]
    assert [e["text"] for e in tags[:2]] == ["ordering", "new"] and "mp-1 SrHfO3" in tags[0]["title"]


def test_the_scenes_round_trip_and_each_canvas_has_one(tmp_path):
    found = page(tmp_path, [candidate("a", STO), candidate("b", None), candidate("c", NACL)])
    data = json.loads(found.one("script", id="scenes")["text"])
    assert [e["data-scene"] for e in found.all("canvas")] == ["0", "1"]
    assert len(data["scenes"]) == 2
    for s, structure in zip(data["scenes"], (STO, NACL), strict=True):
        drawn = Structure(s["cell"], s["symbols"], s["frac"])
        assert drawn.composition.reduced_formula == structure.composition.reduced_formula
        assert drawn.density == pytest.approx(structure.density, rel=1e-3)
    assert set(data["elements"]) == {"Sr", "Ti", "O", "Na", "Cl"}
    assert data["elements"]["O"]["colour"] == "#ff0d0d"


@pytest.mark.parametrize(
    "place", ["request", "understood", "setting", "id", "failure", "reason", "decomposition", "stage"]
)
def test_no_text_can_become_markup_or_code(tmp_path, place):
    one = candidate(EVIL if place == "id" else "a", STO, hull=HullPlace(EVIL))
    one = one.with_(checks={EVIL: Check("fail", EVIL), "novel": Check("fail", EVIL)}) if place == "reason" else one
    two = Candidate("z").failed("check", "error", EVIL if place == "failure" else "no")
    settings = {"understood": EVIL, EVIL: {"nested": [EVIL]}} if place in ("understood", "setting") else {}
    seconds = {EVIL: 3.0} if place == "stage" else {}
    found = page(tmp_path, [one, two], EVIL if place == "request" else "x", settings, seconds)
    assert len(found.all("script")) == 3
    assert found.all("img") == []
    assert not any(k.startswith("on") for e in found.elements for k in e if k not in ("tag", "text"))
    if place == "request":
        assert found.one("h1")["text"] == EVIL


def test_species_names_in_the_embedded_json_cannot_close_it(tmp_path):
    text = embedded_json({"x": EVIL + " & <!--"})
    assert not set("<>&") & set(text)
    assert json.loads(text) == {"x": EVIL + " & <!--"}


def test_the_page_needs_nothing_from_outside_and_allows_only_its_own_scripts(tmp_path):
    found = page(tmp_path, [candidate("a", STO)])
    policy = next(e["content"] for e in found.all("meta") if e.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    code = [e["text"] for e in found.all("script") if "type" not in e]
    for text in code:
        assert base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() in policy
    for e in found.elements:
        for key in ("src", "href", "action"):
            assert e.get(key, "#").startswith(("#", "data:"))
    text = (tmp_path / "report.html").read_text()
    assert not re.findall(r"url\(|@import|https?://", text)


def test_a_setting_without_a_value_is_not_in_the_list(tmp_path):
    settings = {"seed": 7, "noise": None, "language": {"model": None, "rounds": 2}, "properties": {}}
    text = page(tmp_path, [], settings=settings).one("table", class_="provenance")["text"]
    assert "seed7" in text and "language.rounds2" in text
    assert "noise" not in text and "model" not in text and "null" not in text


def test_a_quotation_mark_in_a_formula_is_shown_as_it_is(tmp_path):
    shown = Page(formula_html("Ba(FeO2)2 '27\""))
    assert shown.source == "Ba(FeO<sub>2</sub>)<sub>2</sub> &#39;27&#34;"


def test_the_cif_link_holds_the_structure_itself(tmp_path):
    link = page(tmp_path, [candidate("run/1 x", NACL)]).one("a", class_="file")
    assert link["download"] == "NaCl-run_1_x.cif"
    kind, text = link["href"].split(",", 1)
    assert kind == "data:chemical/x-cif;charset=utf-8"
    back = Structure.from_str(unquote(text), fmt="cif")
    assert len(back) == 2  # the candidate's own cell, not the one that is drawn
    assert back.composition == NACL.composition


def test_tiles_show_the_right_counts(tmp_path):
    relaxed = {"relaxed": Check("pass"), "novel": Check("fail")}
    many = [
        candidate("a", STO, 0.02),
        candidate("b", STO, 0.09, checks=relaxed),
        candidate("c", STO, 0.2, checks={"charge": Check("fail"), "relaxed": Check("pass")}),
        candidate(
            "d", STO, 0.0, checks={"relaxed": Check("fail")}
        ),  # its relaxation did not converge, so it does not count as on the hull
        candidate("e", STO, float("nan")),
        candidate("f", STO).failed("check", "error", "too dense"),
        Candidate("g").failed("generate", "error", "no lattice"),
    ]
    found = page(tmp_path, many)
    tiles = [e["text"] for e in found.all("li")][:6]
    counts = {re.sub(r"^\d+", "", t)[:9]: int(re.match(r"\d+", t)[0]) for t in tiles}
    assert list(counts.values()) == [6, 4, 4, 2, 1, 2]
    assert "of 7 candidates" in tiles[0]
    rejected = found.one("table", class_="rejected")["text"]
    assert "too dense" in rejected
    assert "no lattice" in rejected
    assert "hull unknown" not in found.one("main")["text"]


def test_crystals_far_below_the_hull_are_counted_apart(tmp_path):
    unknown = {"hull": Check("unknown", "0.80 eV/atom below SrO + TiO2"), "relaxed": Check("pass")}
    lost = {**unknown, "relaxed": Check("fail")}
    many = [
        candidate("a", STO, 0.02),
        candidate("b", NACL, -0.8, checks=unknown),
        candidate("c", NACL, -0.9, checks=lost),
    ]
    found = page(tmp_path, many)
    tiles = {re.sub(r"^\d+", "", e["text"]): int(re.match(r"\d+", e["text"])[0]) for e in found.all("li")[:7]}
    assert [n for t, n in tiles.items() if t.startswith(("near the hull", "as good as on it", "hull unknown"))] == [
        1,
        1,
        1,
    ]
    assert len(found.all("i", class_="dot")) == 1  # it is not coloured as stable
    assert "of 1 candidates" in found.one("svg", class_="histogram")["aria-label"]


def test_a_run_without_candidates_gets_a_page(tmp_path):
    found = page(tmp_path, [], request="")
    assert "No candidate came through" in found.one("main")["text"]
    assert found.all("canvas") == []
    assert json.loads(found.one("script", id="scenes")["text"]) == {"elements": {}, "scenes": []}


def test_crystals_that_cannot_be_drawn_are_listed_without_a_view(tmp_path):
    broken = STO.copy()
    broken.lattice = Lattice(np.full((3, 3), np.nan))
    found = page(tmp_path, [candidate("a", broken), candidate("b", None), candidate("c", NACL)])
    assert len([e for e in found.all("tr") if "data-n" in e]) == 3
    assert len(found.all("canvas")) == 1
    assert "NaN" not in found.one("script", id="scenes")["text"]


def test_methods_reference_and_settings_are_named(tmp_path):
    settings = {
        "weights": "mp20-csp",
        "relax": {"fmax": 0.05},
        "command": "nucleate design x",
        "understood": "SrTiO3, 5",
    }
    found = page(tmp_path, [candidate("a", STO)], settings=settings, seconds={"relax": 75.0, "hull": 0.5})
    provenance = found.one("table", class_="provenance")["text"]
    for text in ("weightsmp20-csp", "relax.fmax0.05", "CHGNet 0.3.0", "chgnet-mp", "time in all1 min 16 s", "Python"):
        assert text in provenance
    assert "understood as SrTiO3, 5" in found.one("header")["text"]
    meaning = found.one("section", class_="meaning")["text"]
    assert "CHGNet 0.3.0" in meaning
    assert "not results of density functional theory" in meaning


def test_an_unwritable_place_is_one_clear_error_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NucleateError, match="cannot write .*report.html"):
        write_report(tmp_path / "file" / "report.html", [], "x", {}, {})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_drawn_cell_is_the_same_crystal():
    shifted = NACL.copy()
    shifted.translate_sites(range(2), [0.13, 0.27, 0.41])
    drawn, name = drawn_cell(shifted)
    assert name == "conventional cell"
    assert len(drawn) == 8
    assert drawn.lattice.abc == pytest.approx((5.64, 5.64, 5.64))
    offset = drawn.frac_coords / 0.25
    assert np.abs(offset - np.round(offset)).max() < 1e-6  # the standard origin, atoms on special positions
    distorted = NACL.copy()
    distorted.translate_sites([1], [0.02, 0, 0])
    drawn, _ = drawn_cell(distorted)
    assert drawn.get_distance(0, 4) != pytest.approx(2.82, abs=1e-3)  # coordinates stay as they are


def test_bonds_are_drawn_where_a_chemist_draws_them():
    def pairs(structure):
        s = scene(structure)
        return sorted("-".join(sorted((s["symbols"][i], s["symbols"][j]))) for i, j, *_ in s["bonds"])

    assert pairs(STO) == ["O-Ti"] * 6  # the long contacts of strontium are left out
    assert pairs(NACL) == ["Cl-Na"] * 6
    assert pairs(Structure.from_spacegroup(227, Lattice.cubic(5.43), ["Si"], [[0, 0, 0]])) == ["Si-Si"] * 16
    s = scene(STO)
    moved = {**s, "frac": [[x + 0.3 for x in f] for f in s["frac"]]}
    for i, j, *t in s["bonds"]:  # the shifts belong to the wrapped coordinates
        d = (np.array(moved["frac"][j]) + t - moved["frac"][i]) @ np.array(s["cell"])
        assert np.linalg.norm(d) == pytest.approx(1.9525, abs=1e-3)
    assert scene(Structure(Lattice.cubic(0.5), ["H"], [[0, 0, 0]]))["bonds"] == []


def test_odd_structures_can_be_drawn():
    mixed = Structure(Lattice.cubic(4), [{"Na": 0.3, "K": 0.7}], [[0, 0, 0]])
    assert scene(mixed)["symbols"] == ["K"]
    assert drawn_elements(["Xx"])["Xx"]["colour"] == "#999999"


def test_text_helpers():
    assert formula_html("Ba(FeO2)2") == "Ba(FeO<sub>2</sub>)<sub>2</sub>"
    assert formula_html("0.6 Li2O") == "0.6 Li<sub>2</sub>O"
    assert space_group_html("P2_1/c") == "P2<sub>1</sub>/c"
    assert space_group_html("Fm-3m") == 'Fm<span class="bar">3</span>m'
    assert [duration_text(s) for s in (0.416, 12.4, 185, 7805)] == ["0.42 s", "12 s", "3 min 05 s", "2 h 10 min"]
    hues = [hull_hue(v) for v in (-1, 0, 0.025, 0.1, 0.3, 5)]
    assert hues == sorted(hues, reverse=True)


def test_charts():
    assert histogram([]) == ""
    assert timing_bar({}) == ""
    values = [("NaCl", 0.0), ("A<b", 0.03), ("far", 7.0), ("low", -0.4)]
    chart = Page(histogram(values))
    assert sum(int(e["text"].rsplit(" ", 1)[1]) for e in chart.all("rect")) == 4
    assert "1 above 1" in chart.one("svg")["text"]
    assert len(chart.all("line", class_="rug")) == 4
    widths = [
        float(re.search(r"width:([\d.]+)%", e["style"])[1]) for e in Page(timing_bar({"a": 1, "b": 3})).all("span")
    ]
    assert widths == [25, 75]


def test_wanted_properties_have_a_column_and_their_network_is_named(tmp_path):
    wanted = {"band_gap": (1.0, 1.6), EVIL: (-2.0, -2.0)}
    made = PredictedProperties("property-mp20", {"band_gap": 1.25, EVIL: -1.0}, wanted=wanted)
    unknown = PredictedProperties("property-mp20", missing="never saw Rn", wanted=wanted)
    found = page(tmp_path, [candidate("a", STO, predicted=made), candidate("b", NACL, predicted=unknown)])
    heads = [e["text"] for e in found.all("th", scope="col")]
    rows = [e for e in found.all("tr") if "data-n" in e]
    cells = [e for e in found.all("td", title="by property-mp20")]
    assert [c["text"] for c in cells] == ["1.250 (1..1.6)", "\u22121.000 (\u22122)"]
    assert any(h.startswith("gap eV predicted") for h in heads) and any(EVIL in h for h in heads)
    assert "(1..1.6)" in rows[1]["text"]
    assert len(found.all("script")) == 3 and found.all("img") == []
    assert "by the property network property-mp20" in found.one("section", class_="meaning")["text"]
    columns = len([e for e in found.all("th", scope="col") if e["text"]])
    plain = page(tmp_path, [candidate("a", STO)])
    assert columns == len([e for e in plain.all("th", scope="col") if e["text"]]) + 2
    assert "property network" not in plain.one("section", class_="meaning")["text"]
