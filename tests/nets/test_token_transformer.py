import pytest
import torch

from nucleate.codecs.tokens import MASK_ID, PAD_ID, TOKENS, TokenCodec
from nucleate.nets.layers import AdaptiveBlock
from nucleate.nets.token_transformer import TokenTransformer, distinct_tokens

SIZES = {"dim": 32, "layers": 2, "heads": 4, "condition_on": ("balanced",)}


def network(order="set", vector=None):
    torch.manual_seed(0)
    net = TokenTransformer(TokenCodec(order=order), 12, vector=vector, **SIZES).eval()
    for block in net.blocks:  # gates start at zero and would hide everything behind them
        torch.nn.init.normal_(block.condition.weight, std=0.2)
        torch.nn.init.normal_(block.condition.bias, std=0.2)
    return net


def fields(*rows):
    width = max(map(len, rows))
    words = torch.tensor([[*r, *[PAD_ID] * (width - len(r))] for r in rows])
    return {TOKENS: words, "mask": words != PAD_ID}


T = torch.tensor([0.5])


def test_distinct_words_and_their_numbers():
    words, counts = distinct_tokens(torch.tensor([[7, 0, 7, 9, 1], [1, 1, 1, 6, 6]]), 10)
    assert words[0].tolist() == [0, 7, 9] and counts[0].tolist() == [1, 2, 1]
    assert words[1, :2].tolist() == [0, 6] and counts[1].tolist() == [
        0,
        2,
        0,
    ]  # MASK has the first place, even where no word is masked


def test_attention_over_distinct_words_is_attention_over_all():
    torch.manual_seed(0)
    block = AdaptiveBlock(32, 4)
    torch.nn.init.normal_(block.condition.weight, std=0.2)
    z, z_c = torch.randn(1, 3, 32), torch.randn(1, 32)
    counts = torch.tensor([3, 1, 2])
    every = block(z.repeat_interleave(counts, 1), z_c, torch.zeros(1, 1, 1, 6))
    once = block(z, z_c, counts.log()[None, None, None])
    torch.testing.assert_close(every[:, [0, 3, 4]], once)


def test_a_set_has_no_order_and_no_padding():
    net = network()
    logits = net(fields([8, 8, 20, 0, 0]), T, {})[TOKENS]
    other = net(fields([0, 20, 8, 0, 8]), T, {})[TOKENS]
    torch.testing.assert_close(logits[:, 0], other[:, 0])
    padded = net(fields([8, 8, 20, 0, 0], [8] * 9), T.expand(2), {})[TOKENS]
    torch.testing.assert_close(padded[0, 0], logits[0, 0])
    more = net(fields([8, 8, 8, 20, 0, 0]), T, {})[TOKENS]
    assert (more[:, 0] - logits[:, 0]).abs().max() > 1e-3  # how many of a kind there are matters


@pytest.mark.parametrize("vector", [None, 8])
def test_a_sequence_has_an_order_and_no_padding(vector):
    net = network("sorted", vector)
    a, b = fields([8, 9, 0]), fields([8, 9, 0], [9, 8, 0, 7, 7])
    if vector:
        table = net.table()
        a, b = ({**f, TOKENS: table[f[TOKENS]]} for f in (a, b))
        assert table.norm(dim=1).allclose(torch.tensor(8.0).sqrt())
    alone, together = net(a, T, {})[TOKENS], net(b, T.expand(2), {})[TOKENS]
    torch.testing.assert_close(alone[0], together[0, :3])
    assert (together[0, 2] - together[1, 2]).abs().max() > 1e-3
    assert alone.shape[-1] == (vector or 69)


def test_the_output_depends_on_conditions_and_time():
    net, x = network(), fields([8, 0, 0])
    plain = net(x, T, {})[TOKENS]
    for other in (net(x, T + 0.3, {}), net(x, T, {"balanced": torch.ones(1, 1)})):
        assert (other[TOKENS] - plain).abs().max() > 1e-4
    assert plain.shape == (1, 3, 69) and MASK_ID == 0
