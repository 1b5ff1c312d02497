import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from nucleate.diffusion.rng import Streams
from nucleate.diffusion.spindle import MASK, Spindle
from nucleate.diffusion.unmask import unmask

P = torch.tensor([0.0, 0.6, 0.3, 0.1])  # probabilities of the words; the first is MASK
INFORMATION = tuple(-math.log(p) if p else 0.0 for p in P.tolist())
WEIGHTS = [-1.0, -0.3, 0.0, 0.3, 1.0]


@pytest.mark.parametrize("weight", WEIGHTS)
def test_every_word_is_masked_in_the_end_and_never_comes_back(weight):
    keep = Spindle(INFORMATION, weight).keep(torch.linspace(0, 1, 101))
    assert torch.equal(keep[0], torch.ones(4)) and keep[-1].abs().max() < 1e-6
    assert (keep.diff(dim=0) <= 1e-6).all()


def test_the_weight_says_which_words_are_masked_first():
    t = torch.tensor([0.5])
    common, rare = 1, 3
    for weight, first in ((0.3, rare), (-0.3, common)):
        keep = Spindle(INFORMATION, weight).keep(t)[0]
        assert keep[first] < 0.5 < keep[common + rare - first]
    assert torch.allclose(Spindle(INFORMATION, 0.0).keep(t), torch.tensor(0.5))


def test_information_is_relative_to_that_of_an_average_word():
    relative = Spindle(INFORMATION).relative()
    h = torch.tensor(INFORMATION)
    assert relative[0] == 0 and torch.allclose(relative[1:], 1 - (P * h).sum() / h[1:])
    assert relative[1] < 0 < relative[3]


@pytest.mark.parametrize("weight", WEIGHTS)
@pytest.mark.parametrize("steps", [3, 20])
def test_the_reverse_chain_keeps_every_marginal_exactly(weight, steps):
    process = Spindle(INFORMATION, weight)
    times = torch.linspace(1, 0, steps + 1)
    p = torch.tensor([1.0, 0, 0, 0])  # all masked
    for t, s in itertools.pairwise(times):
        hidden = P * (1 - process.keep(t))
        p0 = hidden / hidden.sum()  # the ideal network's answer for a masked word
        q = process.posterior(p0[None, None], t[None], s[None])[0, 0]
        p = torch.cat([p[:1] * q[:1], p[1:] + p[0] * q[1:]])
        keep = process.keep(s)
        truth = P * keep
        truth[MASK] = 1 - truth.sum()
        assert torch.allclose(p, truth, atol=1e-5)
    assert torch.allclose(p, P, atol=1e-5)


def test_words_that_never_occur_have_no_probability():
    process = Spindle((*INFORMATION, 0.0))
    p = process.probabilities(torch.tensor([[9.0, 1.0, 2.0, 0.5, 50.0]]))
    assert torch.allclose(p[0, 1:4], torch.tensor([1.0, 2.0, 0.5]).softmax(0)) and p[0, 0] == p[0, 4] == 0


def test_the_loss_is_the_entropy_of_masked_words_only():
    process = Spindle(INFORMATION)
    x0 = torch.tensor([[1, 2, 3], [1, 1, 2]])
    x_t = torch.tensor([[0, 2, 0], [1, 1, 2]])
    pred = torch.zeros(2, 3, 4)
    mask = torch.tensor([[True, True, False], [True, True, True]])
    loss = process.loss(pred, x0, x_t, torch.tensor([0.5, 0.5]), mask)
    assert torch.allclose(loss, torch.tensor([math.log(3), 0.0]))  # MASK is never predicted


class Ideal:
    """p(x0 | x_t) of sentences drawn from a table of joint probabilities, by enumeration."""

    def __init__(self, process, joint):
        self.process, self.joint, self.calls = process, joint, 0

    def __call__(self, fields, t, condition):
        self.calls += 1
        x = fields["words"]
        out = torch.zeros(*x.shape, 4)
        hidden = 1 - self.process.keep(t)
        for sentence, p in self.joint.items():
            s = torch.tensor(sentence)
            fits = ((x == s) | (x == MASK)).all(1).float() * p
            fits = fits * torch.where(x == MASK, hidden[:, s], torch.ones_like(hidden[:, s])).prod(1)
            out += fits[:, None, None] * F.one_hot(s, 4)
        return {"words": (out / out.sum(-1, keepdim=True)).clamp_min(1e-12).log()}


JOINT = {(1, 1, 2): 0.4, (2, 2, 3): 0.3, (1, 2, 1): 0.2, (3, 3, 3): 0.1}


def draw(process, n, given=(0, 0, 0), **kwargs):
    words = torch.tensor(given).repeat(n, 1)
    fields = {"words": words, "mask": torch.ones(n, 3, dtype=torch.bool)}
    ideal = Ideal(process, JOINT)
    return unmask(ideal, process, "words", fields, Streams(torch.arange(n)), {}, **kwargs), ideal


def shares(drawn):
    found = {s: 0 for s in JOINT}
    for row in drawn.tolist():
        assert tuple(row) in JOINT  # an impossible sentence is never drawn, because words come one at a time
        found[tuple(row)] += 1 / len(drawn)
    return found


@pytest.mark.parametrize("weight", [-0.3, 0.0, 0.3])
def test_one_by_one_draws_from_the_joint_distribution(weight):
    n = 6000
    drawn, ideal = draw(Spindle(INFORMATION, weight), n)
    exact = weight == 0
    assert (
        ideal.calls == 3 if exact else 3 <= ideal.calls <= 13
    )  # one for each word, and more where nothing happens for long
    for sentence, share in shares(drawn).items():
        assert abs(share - JOINT[sentence]) < 3 * math.sqrt(0.25 / n) + (0 if exact else 0.015)


def test_given_words_stay_and_condition_the_rest():
    drawn, ideal = draw(Spindle(INFORMATION, 0.0), 3000, (1, 0, 0))
    found = shares(drawn)
    assert ideal.calls == 2 and found[2, 2, 3] == found[3, 3, 3] == 0
    assert abs(found[1, 1, 2] - 2 / 3) < 0.04


def test_tied_words_are_shown_together_and_a_rule_bars_words():
    ties = torch.tensor([0, 0, 2]).repeat(500, 1)
    words = torch.zeros(500, 3, dtype=torch.long)
    fields = {"words": words, "mask": torch.ones(500, 3, dtype=torch.bool)}

    def any_word(fields, t, condition):
        return {"words": torch.zeros(*fields["words"].shape, 4)}

    process = Spindle(INFORMATION)
    drawn = unmask(any_word, process, "words", fields, Streams(torch.arange(500)), {}, ties=ties)
    assert (drawn[:, 0] == drawn[:, 1]).all() and (drawn[:, 0] != drawn[:, 2]).any()
    barred = torch.tensor([True, True, False, True])
    drawn = unmask(
        any_word, process, "words", fields, Streams(torch.arange(500)), {}, rule=lambda x: barred.expand(500, 4)
    )
    assert set(drawn.unique().tolist()) == {1, 3}


def test_a_row_does_not_depend_on_the_others():
    process = Spindle(INFORMATION)
    together, _ = draw(process, 50)
    for i in (0, 17, 49):
        fields = {"words": torch.zeros(1, 3, dtype=torch.long), "mask": torch.ones(1, 3, dtype=torch.bool)}
        alone = unmask(Ideal(process, JOINT), process, "words", fields, Streams(torch.tensor([i])), {})
        assert torch.equal(alone[0], together[i])
