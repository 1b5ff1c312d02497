import torch

from nucleate.codecs.joint import JointCodec
from nucleate.nets.adapters import add_adapters, merge
from nucleate.nets.crystal_transformer import CrystalTransformer


def network(conditioning="adaln"):
    torch.manual_seed(0)
    sizes = {"dim": 16, "layers": 2, "heads": 2, "pair_dim": 8, "frequencies": 2}
    return CrystalTransformer(
        JointCodec(), 5, species=True, conditioning=conditioning, norm="pre", distance=True, **sizes
    )


def crystals():
    g = torch.Generator().manual_seed(1)
    z = torch.randint(1, 50, (3, 4), generator=g)
    frac = torch.rand(3, 4, 3, generator=g)
    return {"lattice": torch.randn(3, 6, generator=g), "frac_coords": frac, "atomic_numbers": z, "mask": z > 0}


def test_adapters_start_as_the_network_itself():
    plain, adapted, t = network(), network(), torch.rand(3)
    add_adapters(adapted, 4)
    for k, v in plain(crystals(), t, {}).items():
        assert torch.equal(adapted(crystals(), t, {})[k], v)


def test_only_adapters_and_conditions_are_trained():
    adapted = network()
    before = sum(p.numel() for p in adapted.parameters())
    add_adapters(adapted, 2)
    trained = {n for n, p in adapted.named_parameters() if p.requires_grad}
    assert all(n.startswith("condition.") or n.endswith((".up", ".down")) for n in trained)
    assert any(n.startswith("condition.") for n in trained) and any(n.endswith(".up") for n in trained)
    assert sum(p.numel() for p in adapted.parameters() if p.requires_grad) < before / 2


def test_merged_weights_give_the_adapted_network():
    adapted, t = network("cds"), torch.rand(3)
    add_adapters(adapted, 4)
    with torch.no_grad():
        for parameter in adapted.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape))
    plain = network("cds")
    plain.load_state_dict(merge(adapted.state_dict()))
    for k, v in adapted(crystals(), t, {}).items():
        torch.testing.assert_close(plain(crystals(), t, {})[k], v, rtol=1e-4, atol=1e-5)
