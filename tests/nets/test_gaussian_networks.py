"""UniMat's sparse and dense networks and the compact one: symmetries, conditions, and what is known without them."""

import numpy as np
import pytest
import torch
from random_crystals import crystals_of

from nucleate.codecs.compact import SPECIES
from nucleate.codecs.unimat import NULL, SLOTS
from nucleate.crystal.convert import structures_from_batch
from nucleate.diffusion.gaussian import GaussianVP
from nucleate.diffusion.loop import sample
from nucleate.diffusion.rng import Streams
from nucleate.errors import NucleateError
from nucleate.nets.gaussian import REACH, SHELLS, surroundings
from nucleate.nets.image_sums import radial
from nucleate.nets.occupancy import BARRED, SPREAD, atom_noise, evidence, mixed
from nucleate.systems import system_of
from nucleate.systems.reading import read_recipe
from recipes import fitted

SMALL = {"dim": 16, "heads": 2}
DENSE = {"kind": "dense", "widths": (16, 24)}
SPARSE = {"layers": 2, "frequencies": 2, "pair_dim": 8}
OWN = {"unimat": {"seen": 6}, "compact": {"widths": (16, 24)}}
DATA = crystals_of([38, 22, 8, 8, 8], [3, 8, 8], [26, 26, 8], [57, 7])


def recipe_of(kind, task, network, condition_on=()):
    return read_recipe(
        {
            "name": "tiny",
            "system": kind,
            "task": task,
            "data": {"max_atoms": 5},
            "codec": {"slots": 3} if kind == "unimat" else {},
            "network": network | {"condition_on": condition_on},
        }
    )


def made(kind, task, network="sparse", condition_on=()):
    """(network with lively weights, codec, noisy fields, t). network: "sparse", "dense", "told" (with distance)."""
    sizes = DENSE if network == "dense" else SPARSE | {"distance": network == "told"} | OWN[kind]
    recipe = recipe_of(kind, task, SMALL | sizes, condition_on)
    codec = fitted(recipe, DATA)
    torch.manual_seed(0)
    system = system_of(recipe)
    model = system.network(recipe, codec, 5).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))
    fields = codec.encode(DATA.lattice, DATA.frac_coords, DATA.atomic_numbers)
    t, rng = torch.tensor([0.1, 0.4, 0.7, 0.95]), Streams(torch.arange(4))
    processes = system.processes(recipe, codec, model)
    return model, codec, {k: processes[k].corrupt(v, t, rng) if k in processes else v for k, v in fields.items()}, t


CASES = [
    ("unimat", "dng", "sparse"),
    ("unimat", "csp", "sparse"),
    ("unimat", "dng", "dense"),
    ("unimat", "csp", "dense"),
]
CASES += [("compact", "dng", "sparse"), ("compact", "csp", "sparse")]
CASES += [(kind, task, "told") for kind in ("unimat", "compact") for task in ("dng", "csp")]


def test_widths_that_heads_do_not_divide_are_refused():
    recipe = recipe_of("compact", "csp", SMALL | {"widths": (16, 23)})
    with pytest.raises(NucleateError, match=r"multiples of the 2 heads, not \[16, 23\]"):
        system_of(recipe).network(recipe, fitted(recipe, DATA), 5)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_noise_of_every_diffusing_field(case):
    model, _, fields, t = made(*case)
    out = model(fields, t, {})
    names = {"lattice", SLOTS} if case[:2] == ("unimat", "dng") else {"lattice", "frac_coords"}
    assert set(out) == names | ({SPECIES} if case[:2] == ("compact", "dng") else set())
    for name, value in out.items():
        assert value.shape == fields[name].shape and value.isfinite().all()
        assert value.dtype == torch.float32
    with torch.autocast("cpu", torch.bfloat16):
        assert all(v.dtype == torch.float32 for v in model(fields, t, {}).values())
    sum(v.square().sum() for v in out.values()).backward()
    dead = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not [n for n in dead if "null" not in n], dead


@pytest.mark.parametrize("case", [c for c in CASES if c[2] != "dense" and c[:2] != ("unimat", "dng")], ids="-".join)
def test_atoms_have_no_order(case):
    model, _, fields, t = made(*case)
    order = torch.tensor([1, 0, 2])
    per_atom = [k for k in fields if k != "lattice"]
    turned = {k: torch.cat([v[:, order], v[:, 3:]], 1) if k in per_atom else v for k, v in fields.items()}
    before, after = model(fields, t, {}), model(turned, t, {})
    torch.testing.assert_close(after["lattice"], before["lattice"], rtol=1e-4, atol=1e-5)
    real = fields["mask"][..., None]
    turned_back = torch.cat([after["frac_coords"][:, order], after["frac_coords"][:, 3:]], 1)
    torch.testing.assert_close(turned_back * real, before["frac_coords"] * real, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("network", ["sparse", "told"])
def test_slots_of_an_element_have_no_order(network):
    model, _, fields, t = made("unimat", "dng", network)
    order = torch.tensor([2, 0, 1])
    before, after = model(fields, t, {}), model(fields | {SLOTS: fields[SLOTS][:, :, order]}, t, {})
    torch.testing.assert_close(after["lattice"], before["lattice"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after[SLOTS], before[SLOTS][:, :, order], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", [c for c in CASES if c[1] == "csp" or c[0] == "compact"], ids="-".join)
def test_padding_changes_nothing(case):
    model, _, fields, t = made(*case)
    wide = {k: v if k == "lattice" else torch.cat([v, torch.zeros_like(v[:, :2])], 1) for k, v in fields.items()}
    before, after = model(fields, t, {}), model(wide, t, {})
    real = fields["mask"][..., None]
    torch.testing.assert_close(after["lattice"], before["lattice"], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(after["frac_coords"][:, :5] * real, before["frac_coords"] * real, rtol=1e-4, atol=1e-5)


def test_relative_features_do_not_depend_on_origin_or_images():
    model, _, fields, t = made("compact", "csp", "told")
    x, mask = fields["frac_coords"], fields["mask"]
    alphas = tuple(model.processes[k].alpha_bar(t).sqrt() for k in ("frac_coords", "lattice"))
    z_c, z = torch.randn(4, 16), torch.randn(4, 5, 16)
    keys = torch.zeros(mask.shape).masked_fill(~mask, -1e9)[:, None, None]

    def told(positions):
        bias = torch.nn.functional.pad(keys, (2, 0))
        geometry = model.relative(positions, fields["lattice"], mask.sum(1), alphas, z_c, bias)
        return torch.cat(geometry.biases, 1), geometry.environment, model.relative.moves(geometry, z)

    shift = torch.tensor([0.3, -0.2, 0.9]) * alphas[0][:, None, None]
    images = 2 * torch.randint(-2, 3, x.shape, generator=torch.Generator().manual_seed(0)) * alphas[0][:, None, None]
    for moved in (x + shift, x + images):
        for before, after in zip(told(x), told(moved), strict=True):
            torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)


def plain(crystal):
    return torch.tensor(np.array(crystal.lattice.matrix))[None]


def test_surroundings_are_sums_over_all_images():
    (crystal,) = structures_from_batch(crystals_of([3] * 5, seed=3))
    cell, frac, weight = (
        plain(crystal),
        torch.tensor(crystal.frac_coords)[None],
        torch.tensor([[1.0, 1.0, 0.5, 1.0, 0.0]]).double(),
    )
    clear = torch.tensor([True])
    counts, directions, spectrum = surroundings(cell, frac, weight, clear)
    i, j, image, distance = crystal.get_neighbor_list(REACH)
    real = (i != 4) & (j != 4)  # the last atom is padding
    i, j, image, distance = i[real], j[real], image[real], torch.tensor(distance[real])
    shells = radial(distance, SHELLS, REACH)
    expected = (
        torch.zeros(5, 5, SHELLS).double().index_put_((torch.tensor(i), torch.tensor(j)), shells, accumulate=True)
    )
    torch.testing.assert_close(counts[0], expected)
    vector = torch.tensor(crystal.frac_coords[j] + image - crystal.frac_coords[i]) / distance[:, None]
    along = torch.zeros(5, 5, SHELLS, 3).double()
    along.index_put_((torch.tensor(i), torch.tensor(j)), shells[..., None] * vector[:, None], accumulate=True)
    torch.testing.assert_close(directions[0], along * crystal.volume ** (1 / 3))
    number = (expected * weight[0, :, None]).sum(1)  # degree 0 around each atom
    torch.testing.assert_close(spectrum[0].view(5, SHELLS, 4)[..., 0], number.square().log1p())


def test_the_power_spectrum_does_not_depend_on_axes_and_is_finite_for_flat_cells():
    (crystal,) = structures_from_batch(crystals_of([3] * 6, seed=1))
    turn = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)).double())[0]
    cell, frac = plain(crystal), torch.tensor(crystal.frac_coords)[None]
    other = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 2, -1]]).double()  # another basis of the same lattice
    ones, clear = torch.ones(1, 6).double(), torch.tensor([True])
    before = surroundings(cell, frac, ones, clear)[2]
    after = surroundings(other @ cell @ turn, frac @ torch.linalg.inv(other), ones, clear)[2]
    torch.testing.assert_close(after, before, rtol=1e-6, atol=1e-8)
    flat = cell.clone()
    flat[:, 2] = flat[:, 0] + 0.01 * flat[:, 2]
    assert all(not part.any() for part in surroundings(flat, frac, ones, clear))


@pytest.mark.parametrize("network", ["sparse", "dense"])
def test_a_chemical_system_bars_all_other_columns(network):
    model, codec, fields, t = made("unimat", "dng", network, ("chemical_system",))
    system = torch.zeros(4, 101)
    system[:, [38, 8]] = 1
    conditions = {"chemical_system": system, "chemical_system_present": torch.tensor([True, True, True, False])}
    noise = model(fields, t, conditions)[SLOTS]
    outside = [i for i, z in enumerate(codec.elements) if z not in (38, 8)]
    abar = GaussianVP().alpha_bar(t)[:, None, None, None]
    null = (fields[SLOTS] - abar.sqrt() * NULL) / (1 - abar).sqrt()
    torch.testing.assert_close(noise[:3, outside], null[:3, outside])
    assert (noise[3, outside] - null[3, outside]).abs().max() > 1e-3  # nothing is asked for
    free = model(fields, t, {})[SLOTS]
    torch.testing.assert_close(noise[3], free[3], rtol=1e-3, atol=1e-3)


def test_slots_that_are_surely_null_cost_nothing():
    model, codec, _, _ = made("unimat", "dng")
    clean = codec.encode(DATA.lattice, DATA.frac_coords, DATA.atomic_numbers)
    t = torch.full((4,), 0.05)
    x = GaussianVP().corrupt(clean[SLOTS], t, Streams(torch.arange(4)))
    noise = model(clean | {SLOTS: x}, t, {})[SLOTS]
    abar = GaussianVP().alpha_bar(t)[:, None, None, None]
    truth = (x - abar.sqrt() * clean[SLOTS]) / (1 - abar).sqrt()
    empty = (clean[SLOTS] == NULL).all(-1)
    torch.testing.assert_close(noise[empty], truth[empty], rtol=1e-4, atol=1e-4)


def test_the_evidence_of_a_slot_is_the_bayes_factor():
    t = torch.tensor([0.2, 0.5, 0.8])
    abar = GaussianVP().alpha_bar(t)
    x = torch.randn(3, 7, 3, generator=torch.Generator().manual_seed(0))
    sigma = (1 - abar).sqrt()[:, None, None]
    null = torch.distributions.Normal(abar.sqrt()[:, None, None] * NULL, sigma)
    atom = torch.distributions.Normal(0.0, (abar[:, None, None] * SPREAD**2 + sigma**2).sqrt())
    expected = (atom.log_prob(x) - null.log_prob(x)).sum(-1).clamp(-30, 30)
    torch.testing.assert_close(evidence(x, abar), expected, rtol=1e-4, atol=1e-4)


def test_the_noise_of_a_slot_obeys_the_law_of_total_expectation():
    """Samples follow the data: a share p of the slots holds atoms, which lie where the data's do."""
    p, process = 0.2, GaussianVP()

    def ideal(fields, t, condition):
        abar = process.alpha_bar(t)
        prior = torch.logit(torch.tensor(p))
        return {SLOTS: mixed(fields[SLOTS], 0.0, evidence(fields[SLOTS], abar) + prior, abar)}

    seeds = torch.arange(4000)
    out = sample(
        ideal, {SLOTS: process}, {SLOTS: torch.zeros(4000, 1, 1, 3)}, steps=100, rng=Streams(seeds), condition={}
    )[SLOTS][:, 0, 0]
    atoms = out.mean(-1) > (NULL - 1) / 2
    assert abs(float(atoms.float().mean()) - p) < 0.02
    assert abs(float(out[atoms].std()) - SPREAD) < 0.02 and abs(float(out[atoms].mean())) < 0.04
    assert (out[~atoms] - NULL).abs().max() < 1e-3
    x, abar = torch.randn(2, 3, 3), torch.tensor([0.3, 0.6])
    sure = mixed(x, 0.5, torch.full((2, 3), 40.0), abar)
    torch.testing.assert_close(sure, atom_noise(x, 0.5, abar))
    barred = mixed(x, 0.5, torch.full((2, 3), BARRED), abar)
    torch.testing.assert_close(barred, (x - abar.sqrt()[:, None, None] * NULL) / (1 - abar).sqrt()[:, None, None])
