"""Formulas of families: charges balance, wishes hold, what is likely comes first."""

import itertools

import pytest

from nucleate.chem.classes import GROUPS
from nucleate.errors import NucleateError
from nucleate.search.families import is_ion, lexicon, members
from nucleate.search.likelihood import PULL
from nucleate.search.propose import judged, propose


@pytest.mark.parametrize("name", ["spinel", "pyrochlore", "elpasolite", "garnet", "perovskite"])
def test_charges_balance_site_by_site(name):
    found = propose(lexicon()[name], limit=200)
    assert len(found) == 200 and len({tuple(sorted(p.composition.items())) for p in found}) == 200
    for p in found:
        assert p.charges in lexicon()[name].charges and p.composition == lexicon()[name].composition(p.elements)
        assert all(is_ion(e, q) for e, q in zip(p.elements, p.charges, strict=True))
    assert all(a.score <= b.score for a, b in itertools.pairwise(found))


def test_known_members_are_at_distance_zero():
    found = propose(lexicon()["spinel"], limit=2000)
    known = {m.elements for m in members("spinel")}
    assert all(p.distance == 0 and p.nearest.elements == p.elements for p in found if p.known)
    assert all(p.elements in known for p in found if p.known) and any(not p.known and p.distance > 0 for p in found)


def test_chemists_would_agree():
    names = ["".join(p.elements) for p in propose(lexicon()["spinel"], contains=["Co", "O"], limit=60)]
    assert {"CoAlO", "CoCrO", "ZnCoO"} <= set(names) and "CoGaO" in names  # known ones, and one that this data lacks
    iridates = [p for p in propose(lexicon()["pyrochlore"], contains=["Ir"], limit=10) if not p.known]
    assert any(p.elements[0] in GROUPS["rare earth"] for p in iridates)


def test_the_composition_model_has_a_say():
    nearest = propose(lexicon()["half-Heusler"], limit=300)
    found = judged(nearest)
    assert {p.elements for p in found} == {p.elements for p in nearest} and all(p.likelihood < 0 for p in found)
    assert all(a.merit >= b.merit for a, b in itertools.pairwise(found))
    assert [p.elements for p in found] != [p.elements for p in nearest]
    assert found[0].merit == pytest.approx(PULL * found[0].likelihood - found[0].score)


def test_wishes_hold():
    barred = GROUPS["rare earth"]
    found = propose(lexicon()["pyrochlore"], exclude=barred, limit=100)
    assert found and not any(set(p.composition) & set(barred) for p in found)
    found = propose(lexicon()["perovskite"], lambda c: "F" in c, contains=["K"], limit=20)
    assert found and all({"K", "F"} <= set(p.composition) for p in found)
    with pytest.raises(NucleateError, match=r"no rutile \(AX2\) with Na can be made of ions that balance"):
        propose(lexicon()["rutile"], contains=["Na"])


def test_metals_have_no_charges():
    found = propose(lexicon()["half-Heusler"], contains=["Ti"], limit=50)
    assert all(p.charges == () and "Ti" in p.composition for p in found)
    assert "TiNiSn" in {"".join(p.elements) for p in found}
