"""Rates of stable, unique and novel crystals: failures stay in the denominator."""

import numpy as np
import pytest

from nucleate.errors import NucleateError
from nucleate.evaluate.inputs import Item
from nucleate.evaluate.measures.stability import hull_distances, stability_section
from nucleate.evaluate.protocols import PROTOCOLS, get_protocol
from nucleate.pipeline.candidate import Energy


def item(value, method="CHGNet", reference="mp"):
    energies = {} if value is None else {"e_above_hull": Energy(value, method, reference)}
    return Item("x", None, "", energies)


def values(protocol, energies, unique, novel):
    found = hull_distances([item(e) for e in energies])
    section = stability_section(found, np.array(unique), np.array(novel), get_protocol(protocol), "mp-20:train")
    return {m.name: m for m in section.metrics}, section


def test_counts_by_hand():
    energies = [-0.01, 0.0, 0.02, 0.1, 0.2, None]
    unique = [True, True, False, True, True, False]
    novel = [True, False, True, True, True, True]
    m, section = values("mattergen-2025", energies, unique, novel)
    assert m["stable"].value == 4 / 6 and m["stable"].n == 6  # 0.1 is still stable, the failure is not
    assert m["on_hull"].value == 1 / 6  # strictly below
    assert m["near_hull"].value == 3 / 6
    assert m["sun"].value == 2 / 6  # the first and the fourth
    assert m["sun_on_hull"].value == 1 / 6
    assert m["with_energy"].value == 5 / 6
    assert m["e_above_hull"].value == pytest.approx(0.062) and m["e_above_hull"].n == 5
    assert "msun" not in m  # its threshold is that of stable
    assert "CHGNet" in section.note and "mp-20:train" in section.note


def test_the_threshold_is_the_protocols():
    energies = [-0.01, 0.0, 0.05, 0.3]
    yes = [True] * 4
    m, _ = values("lemat-2025", energies, yes, yes)
    assert m["stable"].value == 2 / 4 and m["msun"].value == 3 / 4
    assert m["sun"].low < 0.5 < m["sun"].high


def test_methods_are_never_mixed():
    with pytest.raises(NucleateError, match="'CHGNet' against 'mp' and 'SevenNet' against 'mp'"):
        hull_distances([item(0.1), item(0.1, "SevenNet")])
    assert hull_distances([item(None)]) is None


def test_protocols_are_frozen_and_say_where_they_come_from():
    assert set(PROTOCOLS) == {"cdvae-2022", "mattergen-2025", "lemat-2025", "crystalite-2026", "polymorph-2026"}
    for p in PROTOCOLS.values():
        assert p.source and p.title
        with pytest.raises(AttributeError):
            p.stable = 1.0
    with pytest.raises(NucleateError, match="no protocol 'cdvae'; known are cdvae-2022"):
        get_protocol("cdvae")
