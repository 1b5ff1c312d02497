import pytest
import torch

from nucleate.errors import NucleateError
from nucleate.nets.oxidation import COUNTS, GRID, OxidationNetwork, assign_shares, encode

ELEMENTS = ("Fe", "Li", "Na", "O", "P")
STATES = range(-5, 9)


@pytest.fixture
def network():
    torch.manual_seed(0)
    net = OxidationNetwork(len(ELEMENTS), STATES, dim=32, layers=3, heads=4, hidden=64)
    return net.eval()


def answer(network, *compositions):
    drafts, mixed = network(*encode(compositions, ELEMENTS))
    return drafts[-1], mixed


def test_formulas_are_encoded():
    index, counts = encode([{"Na": 1, "O": 2}, {"Li": 1, "Fe": 1, "P": 1, "O": 4}], ELEMENTS)
    assert index.tolist() == [[3, 4, 0, 0], [2, 1, 5, 4]]
    assert counts.tolist() == [[1, 2, 0, 0], [1, 1, 1, 4]]
    assert [t.shape for t in encode([], ELEMENTS)] == [(0, 0)] * 2
    with pytest.raises(NucleateError, match="was not trained on Cl"):
        encode([{"Na": 1, "Cl": 1}], ELEMENTS)


def test_permuted_elements_give_permuted_answers(network):
    logits, mixed = answer(network, {"Li": 1, "Fe": 1, "P": 1, "O": 4})
    turned, turned_mixed = answer(network, {"O": 4, "P": 1, "Li": 1, "Fe": 1})
    order = [2, 3, 1, 0]
    assert torch.allclose(turned[0, order], logits[0], atol=1e-6)
    assert torch.allclose(turned_mixed[0, order], mixed[0], atol=1e-6)
    assert not torch.allclose(logits[0, 0], logits[0, 1], atol=1e-2)


def test_padding_changes_nothing(network):
    alone, alone_mixed = answer(network, {"Na": 2, "O": 1})
    both, both_mixed = answer(network, {"Na": 2, "O": 1}, {"Li": 1, "Fe": 1, "P": 1, "O": 4})
    assert torch.allclose(both[0, :2], alone[0], atol=1e-6)
    assert torch.allclose(both_mixed[0, :2], alone_mixed[0], atol=1e-6)


def test_numbers_of_atoms_matter_even_large_ones(network):
    few, more, many = (answer(network, {"Fe": n, "O": 1})[0] for n in (1, 2, COUNTS + 5))
    most = answer(network, {"Fe": COUNTS + 50, "O": 1})[0]
    assert (few - more).abs().max() > 1e-3 and (many - most).abs().max() > 1e-4


def test_each_layer_gets_the_state_that_makes_the_formula_neutral(network):
    drafted = torch.zeros(1, 3, len(STATES))
    drafted[0, 0, STATES.index(2)] = drafted[0, 1, STATES.index(-2)] = (
        100.0  # Fe +2, O -2; the draft of padding is arbitrary
    )
    drafted[0, 2, 0] = 100.0
    gaussians = network.needed(drafted, torch.tensor([[2.0, 3.0, 0.0]]))  # Fe2O3
    assert GRID[gaussians[0, 0].argmax()] == 3  # not the +2 of the draft
    assert GRID[gaussians[0, 1].argmax()] == -1.5  # -4 / 3


def spread(probabilities, mixed, atoms, values):
    logits = torch.tensor([probabilities]).log().clamp_min(-50)
    found = assign_shares(logits, torch.tensor([mixed]), torch.tensor([atoms]), torch.tensor(values))
    assert torch.allclose(found.sum(-1), torch.ones(1, len(atoms)))
    return [pytest.approx(row) for row in found[0].tolist()]


def test_the_most_probable_state_is_assigned():
    assert spread([[0.1, 0.6, 0.3]], [-0.1], [4], [1.0, 2.0, 3.0]) == [[0, 1, 0]]
    assert spread([[0.1, 0.6, 0.3]], [0.1], [4], [1.0, 2.0, 3.0]) == [[0, 0.75, 0.25]]


@pytest.mark.parametrize(
    ("probabilities", "atoms", "shares"),
    [
        ([0.60, 0.05, 0.35], 3, [2 / 3, 0, 1 / 3]),
        ([0.05, 0.35, 0.60], 3, [0, 1 / 3, 2 / 3]),
        ([0.98, 0.02, 0.00], 3, [2 / 3, 1 / 3, 0]),  # mixed: each of the two has an atom
        ([0.70, 0.30, 0.00], 1, [1 / 2, 1 / 2, 0]),
        ([0.70, 0.30, 0.00], 10, [0.7, 0.3, 0]),
    ],
)
def test_mixed_valence_has_whole_atoms(probabilities, atoms, shares):
    assert spread([probabilities], [1.0], [atoms], [1.0, 2.0, 3.0]) == [shares]


def test_the_proportion_in_mixed_valence_is_the_neutral_one_if_there_is_one():
    oxide, iron, values = [1.0, 0.0, 0.0], [0.0, 0.6, 0.4], [-2.0, 2.0, 3.0]
    padding = [0.0, 0.5, 0.5]
    assert spread([oxide, iron], [-1.0, 1.0], [4, 3], values)[1] == [0, 1 / 3, 2 / 3]  # Fe3O4
    assert spread([oxide, iron, padding], [-1.0, 1.0, 9.0], [4, 3, 0], values)[1] == [0, 1 / 3, 2 / 3]
    assert spread([oxide, iron], [-1.0, -1.0], [4, 3], values)[1] == [0, 1, 0]  # not mixed: not made neutral
    assert spread([oxide, iron], [-1.0, 1.0], [5, 3], values)[1] == [0, 2 / 3, 1 / 3]  # Fe3O5: no proportion is neutral
    assert spread([oxide, iron, iron], [-1.0, 1.0, 1.0], [8, 3, 3], values)[1:] == [[0, 2 / 3, 1 / 3]] * 2  # two mixed


def test_heads_must_divide_the_width():
    with pytest.raises(NucleateError, match="multiple of network.heads"):
        OxidationNetwork(3, STATES, dim=10, heads=3)
