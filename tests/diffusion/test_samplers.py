import math
from itertools import pairwise

import pytest
import torch

from nucleate.diffusion import D3PM, GaussianVP, Streams, WrappedVE, sample
from nucleate.diffusion.loop import LANGEVIN, SAMPLERS, time_grid
from nucleate.diffusion.torus import wrap
from nucleate.errors import NucleateError
from nucleate.systems.reading import read_recipe
from nucleate.systems.recipe import SampleConfig
from nucleate.systems.registry import SYSTEMS, all_sampler_names
from nucleate.testing.ideal import IdealCategorical, IdealGaussian, IdealTorus

FLOWS = ("ddim", "second-order")
LEAST_ORDER = {"ddim": 0.9, "second-order": 1.8}
POINTS = torch.tensor([0.1, 0.45, 0.8])


def follow(process, ideal, x, sampler, steps, noise=1.0):
    """The sampler's path of one field, in double precision, from x at t = 1."""
    times = time_grid(sampler, steps, dtype=torch.float64)
    before = None
    for t, s in pairwise(times[:, None].expand(-1, len(x))):
        here = x, ideal({"x": x}, t, {})["x"], t
        x = process.flow(*here, s, Streams(torch.arange(len(x))), before, noise)
        before = here if sampler == "second-order" else None
    return x


def slopes(errors):
    return [math.log2(a / b) for a, b in pairwise(errors)]


def gaussian(schedule, noise):
    """Starts and ends of the flow of x0 ~ N(m, c^2) with drift k: x_t / sqrt(abar) - m goes with
    (c^2 + (1 - abar) / abar)^(k / 2)."""
    p, mean, std = GaussianVP(schedule), 0.7, 0.5
    x1 = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    abar = p.alpha_bar(torch.ones(1, dtype=torch.float64))
    shrunk = (std**2 / (std**2 + (1 - abar) / abar)) ** ((2 - noise**2) / 2)
    return p, IdealGaussian(p, "x", mean, std), x1, mean + (x1 / abar.sqrt() - mean) * shrunk


@pytest.mark.parametrize("noise", [1.0, 0.8, 0.5])
@pytest.mark.parametrize("sampler", FLOWS)
@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_the_flow_of_a_gaussian_converges_to_its_closed_form(schedule, sampler, noise):
    p, ideal, x1, x0 = gaussian(schedule, noise)
    errors = [float((follow(p, ideal, x1, sampler, n, noise) - x0).abs().max()) for n in (40, 80, 160, 320)]
    assert min(slopes(errors)) >= LEAST_ORDER[sampler], (errors, slopes(errors))


@pytest.mark.parametrize("sampler", FLOWS)
def test_the_coldest_flow_of_a_gaussian_is_exact_at_any_step(sampler):
    """At noise 0 the denoised estimate of a Gaussian stays what it is."""
    p, ideal, x1, x0 = gaussian("cosine", 0.0)
    assert all(torch.allclose(follow(p, ideal, x1, sampler, n, 0.0), x0, atol=1e-12) for n in (1, 3, 10))


@pytest.mark.parametrize("noise", [1.0, 0.5])
@pytest.mark.parametrize("sampler", FLOWS)
@pytest.mark.parametrize("points", [POINTS[:1], POINTS], ids=["one", "mixture"])
def test_the_flow_on_the_torus_converges(points, sampler, noise):
    """To its own limit at 4,000 steps, with sigma_min so small that the jump from there to 0 does not count."""
    p = WrappedVE(sigma_min=1e-4, centred=False)
    ideal = IdealTorus(p, "x", points, 0.08)
    x1 = torch.linspace(0.013, 1.013, 21, dtype=torch.float64)[:, None] % 1
    limit = follow(p, ideal, x1, "second-order", 4000, noise)
    errors = [float(wrap(follow(p, ideal, x1, sampler, n, noise) - limit).abs().max()) for n in (160, 320, 640)]
    assert min(slopes(errors)) >= LEAST_ORDER[sampler], (errors, slopes(errors))


@pytest.mark.parametrize("noise", [1.0, 0.5, 0.0])
def test_the_flow_of_a_wrapped_normal_keeps_its_quantiles(noise):
    """Far from wrapping, x - x0 shrinks as (sigma^2 + std^2)^(k / 2): checks the limit itself, not only its rate."""
    p, std = WrappedVE(sigma_min=1e-5, sigma_max=0.03, centred=False), 0.01
    x1 = 0.5 + torch.linspace(-0.05, 0.05, 11, dtype=torch.float64)[:, None]
    x0 = 0.5 + (x1 - 0.5) * (std**2 / (p.sigma_max**2 + std**2)) ** ((2 - noise**2) / 2)
    made = follow(p, IdealTorus(p, "x", torch.tensor([0.5]), std), x1, "second-order", 300, noise)
    assert (made - x0).abs().max() < 1e-3 * std


@pytest.mark.parametrize("process", [GaussianVP(), WrappedVE()], ids=["vector", "torus"])
def test_without_noise_a_first_order_flow_takes_the_ancestral_step(process):
    rng = Streams(torch.arange(5))
    x, pred = rng.uniform((5, 4, 3)).double(), rng.normal((5, 4, 3)).double()
    t, s = (v * torch.ones(5, dtype=torch.float64) for v in (0.6, 0.5))
    made = process.flow(x, pred, t, s, rng, noise=0.0)
    assert torch.allclose(made, process.step(x, pred, t, s, rng, noise=0.0), atol=1e-12)
    assert not torch.allclose(made, process.flow(x, pred, t, s, rng), atol=1e-3)


@pytest.mark.parametrize("noise", [1.0, 0.6, 0.0])
def test_a_flow_takes_in_the_drift_of_many_small_langevin_moves(noise):
    """To a single x0 the estimate is the same all the way: moves of 1 - noise^2 the drift, then the flow alone."""
    p, moves, total = WrappedVE(centred=False), 2000, 2e-5
    ideal = IdealTorus(p, "x", POINTS[:1])
    x = torch.linspace(0.08, 0.12, 9, dtype=torch.float64)[:, None]
    t, s = (v * torch.ones(9, dtype=torch.float64) for v in (0.5, 0.4))
    rng = Streams(torch.arange(9))
    once = p.flow(x, ideal({"x": x}, t, {})["x"], t, s, rng, noise=noise, langevin=total)
    for _ in range(moves):
        x = p.correct(x, (1 - noise**2) * ideal({"x": x}, t, {})["x"], t, total / moves, rng, noise=0.0)
    step_by_step = p.flow(x, ideal({"x": x}, t, {})["x"], t, s, rng, noise=noise)
    assert wrap(once - step_by_step).abs().max() < 1e-5


@pytest.mark.parametrize("noise", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("sampler", FLOWS)
@pytest.mark.parametrize("steps", [4, 10, 50])
def test_a_single_crystal_is_reached_exactly_in_few_steps(sampler, steps, noise):
    vp, ve = GaussianVP(), WrappedVE(centred=False)
    x1 = torch.linspace(-2, 2, 9, dtype=torch.float64)[:, None]
    made = follow(vp, IdealGaussian(vp, "x", 0.7, 0.0), x1, sampler, steps, noise)
    assert torch.allclose(made, torch.full_like(x1, 0.7))
    x1 = torch.linspace(0.02, 0.98, 9, dtype=torch.float64)[:, None]
    made = follow(ve, IdealTorus(ve, "x", POINTS[:1]), x1, sampler, steps, noise)
    assert wrap(made - POINTS[0]).abs().max() < 1e-6


PROCESSES = {"lattice": GaussianVP(), "frac_coords": WrappedVE(), "atomic_numbers": D3PM(9, "uniform")}


def ideal(fields, t, condition):
    """Fields of three kinds, the padding among them, each with its own ideal denoiser."""
    p = torch.cat([torch.zeros(1), torch.linspace(1, 2, 9)])
    return {
        **IdealGaussian(PROCESSES["lattice"], "lattice", 0.7, 0.3)(fields, t, condition),
        **IdealTorus(PROCESSES["frac_coords"], "frac_coords", POINTS, 0.05)(fields, t, condition),
        **IdealCategorical(PROCESSES["atomic_numbers"], "atomic_numbers", p / p.sum())(fields, t, condition),
    }


def draw(seeds, atoms, sampler, steps=6, denoiser=ideal, **settings):
    b = len(seeds)
    like = {"lattice": torch.zeros(b, 6), "frac_coords": torch.zeros(b, atoms, 3)}
    like["atomic_numbers"] = torch.ones(b, atoms, dtype=torch.int64)
    rng = Streams(torch.tensor(seeds))
    return sample(denoiser, PROCESSES, like, steps=steps, rng=rng, condition={}, sampler=sampler, **settings)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_crystal_depends_only_on_its_own_seed(sampler):
    together, alone = draw([5, 6, 7], 8, sampler), draw([6], 4, sampler)
    again = draw([5, 6, 7], 8, sampler)
    for k, v in together.items():
        assert torch.equal(v, again[k])
        own = v[1:2] if k == "lattice" else v[1:2, :4]
        assert torch.allclose(own.double(), alone[k].double(), atol=1e-5)
        assert not torch.equal(v[0], v[1])


@pytest.mark.parametrize("sampler", FLOWS)
def test_a_flow_calls_the_network_once_a_step_and_draws_from_the_prior_alone(sampler):
    times = []

    def seen(fields, t, condition):
        times.append(float(t[0]))
        return ideal(fields, t, condition)

    plain = draw([1, 2], 5, sampler, denoiser=seen)
    assert times == time_grid(sampler, 6)[:-1].tolist() and times[0] == 1
    times.clear()
    other = draw([1, 2], 5, sampler, denoiser=seen, corrector_steps=3, corrector_size=1e-3)
    assert all(torch.equal(plain[k], other[k]) for k in plain)
    cold = draw([1, 2], 5, sampler, denoiser=seen, noise=0.5)
    colder = draw([1, 2], 5, sampler, denoiser=seen, noise=0.5, corrector_steps=3)
    assert len(times) == 18
    assert all((cold[k] - plain[k]).abs().max() > 1e-3 for k in ("lattice", "frac_coords"))
    assert torch.equal(colder["lattice"], cold["lattice"])
    assert (colder["frac_coords"] - cold["frac_coords"]).abs().max() > 1e-3


def test_the_second_order_flow_is_more_accurate_than_the_first():
    fine = draw([1, 2, 3], 5, "ddim", 2000)
    errors = {s: (draw([1, 2, 3], 5, s, 20)["lattice"] - fine["lattice"]).abs().max() for s in FLOWS}
    assert errors["second-order"] < 0.5 * errors["ddim"]


@pytest.mark.parametrize("limit", ["uniform", "absorbing"])
@pytest.mark.parametrize("sampler", FLOWS)
def test_species_of_a_flow_are_still_drawn_from_the_exact_posterior(sampler, limit):
    process, p = D3PM(3, limit), torch.tensor([0.0, 0.2, 0.3, 0.5])
    z = sample(
        IdealCategorical(process, "z", p),
        {"z": process},
        {"z": torch.ones(400, 50, dtype=torch.int64)},
        steps=20,
        rng=Streams(torch.arange(400)),
        condition={},
        sampler=sampler,
    )["z"]
    assert torch.allclose(torch.bincount(z.flatten(), minlength=4) / z.numel(), p, atol=0.015)


def test_ancestral_steps_equal_the_published_equations():
    """The loop and its closed formulas written out once more, with corrector and reduced noise, to the last bit."""
    vp, ve, steps, noise, size = GaussianVP(), WrappedVE(), 5, 0.5, 1e-5
    processes = {"lattice": vp, "frac_coords": ve}
    like = {"lattice": torch.zeros(3, 6), "frac_coords": torch.zeros(3, 4, 3)}

    def both(fields, t, condition):
        out = ideal({**fields, "atomic_numbers": torch.ones(3, 4, dtype=torch.int64)}, t, {})
        return {k: out[k] for k in like}

    rng = Streams(torch.tensor([4, 8, 15]))
    x, f = rng.normal((3, 6)), rng.uniform((3, 4, 3))
    times = torch.linspace(1, 0, steps + 1)
    for t, s in pairwise(times[:, None].expand(-1, 3)):
        sigma_t, sigma_s, scale = (v[:, None, None] for v in (ve.sigma(t), ve.sigma(s), ve.score_scale(t)))
        score = both({"lattice": x, "frac_coords": f}, t, {})["frac_coords"] * scale
        move = size * (sigma_t / ve.sigma_min).square()
        f = (f + move * score + noise * (2 * move).sqrt() * rng.normal((3, 4, 3))) % 1.0
        pred = both({"lattice": x, "frac_coords": f}, t, {})
        abar_t, abar_s = vp.alpha_bar(t)[:, None], vp.alpha_bar(s)[:, None]
        alpha = abar_t / abar_s
        mean = (x - (1 - alpha) / (1 - abar_t).sqrt() * pred["lattice"]) / alpha.sqrt()
        x = mean + noise * ((1 - alpha) * (1 - abar_s) / (1 - abar_t)).sqrt() * rng.normal((3, 6))
        gap = sigma_t.square() - sigma_s.square()
        spread = sigma_s * gap.sqrt() / sigma_t
        f = (f + gap * (pred["frac_coords"] * scale) + noise * spread * rng.normal((3, 4, 3))) % 1.0
    settings = {"corrector_steps": 1, "corrector_size": size, "noise": noise}
    for named in ({}, {"sampler": "ancestral"}):
        rng = Streams(torch.tensor([4, 8, 15]))
        made = sample(both, processes, like, steps=steps, rng=rng, condition={}, **settings, **named)
        assert torch.equal(made["lattice"], x) and torch.equal(made["frac_coords"], f)


@pytest.mark.parametrize("noise", [-0.1, 1.5])
def test_a_flow_refuses_noise_beyond_its_range(noise):
    with pytest.raises(NucleateError, match=r"'ddim' takes a noise from 0 to 1, not "):
        draw([1], 2, "ddim", noise=noise)


def test_unknown_samplers_are_refused():
    with pytest.raises(ValueError, match="unknown sampler"):
        draw([1], 2, "euler")
    with pytest.raises(NucleateError, match=r"'sample.sampler' must be one of ancestral, ddim, second-order"):
        read_recipe({"name": "x", "system": "joint", "sample": {"sampler": "euler"}})


def test_the_recipe_offers_the_samplers_of_the_loop():
    assert set(all_sampler_names()) == {*SAMPLERS, LANGEVIN, "one-by-one"} and SampleConfig().sampler == "ancestral"
    for name in ("joint", "unimat", "compact"):
        assert SYSTEMS[name].sampler.names(SYSTEMS[name].config(name="x")) == SAMPLERS
