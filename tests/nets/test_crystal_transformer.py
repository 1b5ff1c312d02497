import math

import pytest
import torch

from nucleate.codecs.joint import JointCodec
from nucleate.crystal.lattice import metric_tensor
from nucleate.diffusion.self_conditioning import with_estimate
from nucleate.errors import NucleateError
from nucleate.nets.crystal_transformer import FUSED_FREQUENCIES, CrystalTransformer
from nucleate.nets.layers import minimum_image_distance, periodic_features, phases

VARIANTS = [
    {"conditioning": "cdi"},
    {"conditioning": "cds"},
    {"conditioning": "adaln", "norm": "pre", "distance": True},
    {"conditioning": "cds", "distance": True, "condition_on": ("chemical_system",)},
    {"conditioning": "cdi", "norm": "pre", "composition": True},
    {"conditioning": "adaln", "attention": "fused", "self_conditioning": True},
]


SIZES = {"dim": 32, "layers": 2, "heads": 4, "pair_dim": 16, "frequencies": 4}


def build(lattice="log-metric", **kw):
    torch.manual_seed(0)
    net = CrystalTransformer(JointCodec(lattice), max_atoms=20, species=True, **SIZES, **kw)
    for p in net.parameters():  # zero-initialised gates would hide a broken path
        p.data += 0.05 * torch.randn_like(p)
    return net.double().eval()


def crystals(lattice="log-metric", b=3, a=7):
    g = torch.Generator().manual_seed(1)
    cell = torch.eye(3, dtype=torch.float64) * 1.5 + 0.3 * torch.rand(b, 3, 3, generator=g, dtype=torch.float64)
    mask = torch.ones(b, a, dtype=torch.bool)
    mask[1, 4:] = False
    field = cell if lattice == "matrix" else JointCodec(lattice).encode_lattice(cell * 3, mask.sum(1))
    return {
        "lattice": field,
        "frac_coords": torch.rand(b, a, 3, generator=g, dtype=torch.float64),
        "atomic_numbers": torch.randint(1, 90, (b, a), generator=g) * mask,
        "mask": mask,
    }, torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)


@pytest.fixture(params=VARIANTS, ids=lambda kw: "-".join(map(str, kw.values())))
def net(request):
    torch.set_default_dtype(torch.float64)
    yield build(**request.param)
    torch.set_default_dtype(torch.float32)


def close(a, b, mask=None):
    for k in a:
        x, y = (v[mask] if mask is not None and v.dim() > 2 and v.shape[:2] == mask.shape else v for v in (a[k], b[k]))
        assert torch.allclose(x, y, atol=1e-5, rtol=1e-5), k


def test_permuting_atoms_permutes_the_output(net):
    fields, t = crystals()
    order = torch.randperm(7, generator=torch.Generator().manual_seed(2))
    moved = {k: v[:, order] if k != "lattice" else v for k, v in fields.items()}
    out, got = net(fields, t, {}), net(moved, t, {})
    close({k: v[:, order] if k != "lattice" else v for k, v in out.items()}, got, moved["mask"])


def test_shifting_the_origin_changes_nothing(net):
    fields, t = crystals()
    moved = fields | {"frac_coords": (fields["frac_coords"] + torch.tensor([0.3, 0.71, 0.05])) % 1}
    close(net(fields, t, {}), net(moved, t, {}), fields["mask"])


def test_choosing_other_images_changes_nothing(net):
    fields, t = crystals()
    moved = fields | {"frac_coords": fields["frac_coords"] + torch.randint(-2, 3, (3, 7, 3))}
    close(net(fields, t, {}), net(moved, t, {}), fields["mask"])


def test_padding_changes_nothing(net):
    fields, t = crystals()
    wide = {k: v if k == "lattice" else torch.cat([v, torch.zeros_like(v[:, :3])], 1) for k, v in fields.items()}
    out = {k: v if k == "lattice" else v[:, :7] for k, v in net(wide, t, {}).items()}
    close(net(fields, t, {}), out, fields["mask"])
    alone = {k: v[1:2] if k == "lattice" else v[1:2, :4] for k, v in fields.items()}
    got = net(alone, t[1:2], {})
    assert torch.allclose(got["lattice"], out["lattice"][1:2], atol=1e-5)
    assert torch.allclose(got["frac_coords"], out["frac_coords"][1:2, :4], atol=1e-5)


def test_predicted_scores_sum_to_zero(net):
    fields, t = crystals()
    assert net(fields, t, {})["frac_coords"].sum(1).abs().max() < 1e-9


def test_every_input_changes_the_output(net):
    """Time, species, coordinates and lattice must each change the output: no path is cut."""
    fields, t = crystals()
    out = net(fields, t, {})
    changed = [
        net(fields, t * 0.5, {}),
        net(fields | {"atomic_numbers": fields["atomic_numbers"].roll(1, 1) * fields["mask"]}, t, {}),
        net(fields | {"frac_coords": torch.rand(3, 7, 3)}, t, {}),
        net(fields | {"lattice": fields["lattice"] * 1.1}, t, {}),
    ]
    for other in changed:
        assert all((out[k] - other[k]).abs().max() > 1e-6 for k in out)


def test_the_matrix_lattice_is_equivariant_under_rotation():
    torch.set_default_dtype(torch.float64)
    try:
        net = build("matrix", conditioning="cds", distance=True)
        fields, t = crystals("matrix")
        q, _ = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(3)))
        out, got = net(fields, t, {}), net(fields | {"lattice": fields["lattice"] @ q}, t, {})
        assert torch.allclose(out["lattice"] @ q, got["lattice"], atol=1e-5)
        close({k: v for k, v in out.items() if k != "lattice"}, got, fields["mask"])
    finally:
        torch.set_default_dtype(torch.float32)


def test_the_null_condition_is_the_absent_condition():
    net = build(conditioning="adaln", condition_on=("chemical_system",)).float()
    fields, t = crystals()
    fields, t = {k: v.float() if v.is_floating_point() else v for k, v in fields.items()}, t.float()
    system = torch.zeros(3, 101)
    system[:, [3, 8, 26]] = 1
    absent = {"chemical_system": system, "chemical_system_present": torch.tensor([False] * 3)}
    close(net(fields, t, {}), net(fields, t, absent))
    given = net(fields, t, {"chemical_system": system})
    assert (given["lattice"] - net(fields, t, {})["lattice"]).abs().max() > 1e-6


def test_fourier_features_are_eq_14():
    f = torch.rand(2, 4, 3)
    got = periodic_features(f, 3)
    d = f[:, None] - f[:, :, None]
    angle = 2 * math.pi * (d[..., None] * torch.arange(1, 4)).flatten(-2)
    assert torch.allclose(got, torch.cat([angle.sin(), angle.cos()], -1), atol=1e-5)


def test_fused_attention_is_eq_11_with_values_linear_in_the_fourier_features():
    net = build(conditioning="cdi", attention="fused").float()
    block, heads = net.blocks[0], SIZES["heads"]
    g = torch.Generator().manual_seed(4)
    z, f = torch.randn(2, 5, SIZES["dim"], generator=g), torch.rand(2, 5, 3, generator=g)
    pair = torch.randn(2, 5, 5, SIZES["pair_dim"], generator=g)
    bias = torch.zeros(2, 1, 1, 5)
    bias[1, ..., 3:] = -1e9
    got = block.attend(z, z, pair, bias, phases(f, FUSED_FREQUENCIES))
    q, k, v = block.qkv(z).view(2, 5, 3, heads, -1).permute(2, 0, 3, 1, 4)
    weights = (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + block.alpha(pair).permute(0, 3, 1, 2) + bias).softmax(-1)
    psi = periodic_features(f, FUSED_FREQUENCIES)  # (B, i, j, 6 F)
    values = weights @ v + torch.einsum("bhij,bijp,hpe->bhie", weights, psi, block.beta)
    want = block.out(values.transpose(1, 2).reshape(2, 5, -1))
    assert torch.allclose(got, want, atol=1e-5)


def test_the_network_uses_an_estimate_and_works_without_one():
    net = build(conditioning="cds", self_conditioning=True).float()
    fields, t = crystals()
    fields, t = {k: v.float() if v.is_floating_point() else v for k, v in fields.items()}, t.float()
    first = net(fields, t, {})
    nothing = {k: torch.zeros_like(v) for k, v in first.items() if k != "atomic_numbers"}
    close(first, net(with_estimate(fields, nothing), t, {}))
    for name, estimate in first.items():
        second = net(with_estimate(fields, {name: estimate}), t, {})
        assert (second["lattice"] - first["lattice"]).abs().max() > 1e-6, name


def test_self_conditioning_refuses_the_matrix_lattice():
    with pytest.raises(NucleateError, match="log-metric"):
        build("matrix", self_conditioning=True)


def test_minimum_image_distance_agrees_with_pymatgen():
    from pymatgen.core import Lattice

    lattice = Lattice.from_parameters(4, 5, 6, 80, 95, 110)
    f = torch.rand(1, 5, 3, dtype=torch.float64)
    m = torch.tensor(lattice.matrix.copy())
    got = minimum_image_distance(f, metric_tensor(m[None]))[0].numpy()
    want = lattice.get_all_distances(f[0].numpy(), f[0].numpy())
    for i in range(5):
        for j in range(5):
            assert abs(got[i, j] - (want[i, j] if i != j else 4.0)) < 1e-6
