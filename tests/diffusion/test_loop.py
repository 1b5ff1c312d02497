import torch

from nucleate.diffusion import D3PM, GaussianVP, Guided, Streams, WrappedVE, sample, training_loss

PER_ATOM = frozenset({"frac_coords", "atomic_numbers", "mask"})
PROCESSES = {"lattice": GaussianVP(), "frac_coords": WrappedVE(), "atomic_numbers": D3PM(9, "absorbing")}


class Zero:
    """Predicts nothing; remembers what it was called with."""

    def __init__(self):
        self.calls = []

    def __call__(self, fields, t, condition):
        self.calls.append((t.clone(), dict(condition)))
        out = {"lattice": torch.zeros_like(fields["lattice"]), "frac_coords": torch.zeros_like(fields["frac_coords"])}
        return out | {"atomic_numbers": torch.zeros(*fields["atomic_numbers"].shape, 10)}


def crystals(b=4, a=5):
    mask = torch.ones(b, a, dtype=torch.bool)
    mask[0, 3:] = False
    z = torch.randint(1, 10, (b, a)) * mask
    return {"lattice": torch.randn(b, 6), "frac_coords": torch.rand(b, a, 3), "atomic_numbers": z, "mask": mask}


def test_training_loss_has_one_value_per_field_and_crystal_and_ignores_padding():
    fields = crystals()
    losses = training_loss(Zero(), PROCESSES, PER_ATOM, fields, {}, Streams(torch.arange(4)))
    assert {k: v.shape for k, v in losses.items()} == {k: (4,) for k in PROCESSES}
    other = dict(fields)
    other["frac_coords"] = torch.where(fields["mask"][..., None], fields["frac_coords"], torch.tensor(0.123))
    again = training_loss(Zero(), PROCESSES, PER_ATOM, other, {}, Streams(torch.arange(4)))
    assert all(torch.allclose(losses[k], again[k]) for k in losses)


def test_given_fields_reach_the_denoiser_untouched_and_come_back():
    fields = crystals()
    given = {k: v for k, v in PROCESSES.items() if k != "atomic_numbers"}
    out = sample(Zero(), given, fields, steps=3, rng=Streams(torch.arange(4)), condition={})
    assert torch.equal(out["atomic_numbers"], fields["atomic_numbers"]) and torch.equal(out["mask"], fields["mask"])
    assert not torch.equal(out["frac_coords"], fields["frac_coords"])


def test_times_fall_from_one_and_the_corrector_repeats_them():
    zero, seen = Zero(), []
    sample(
        zero,
        PROCESSES,
        crystals(),
        steps=4,
        rng=Streams(torch.arange(4)),
        condition={},
        corrector_steps=2,
        progress=lambda *a: seen.append(a),
    )
    assert [float(t[0]) for t, _ in zero.calls] == [t for t in (1.0, 0.75, 0.5, 0.25) for _ in range(3)]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_a_crystal_does_not_depend_on_its_batch():
    def draw(index):
        fields = {k: v[index] for k, v in crystals_.items()}
        return sample(Zero(), PROCESSES, fields, steps=5, rng=Streams(torch.tensor(index) + 7), condition={})

    crystals_ = crystals()
    together, alone = draw([0, 1, 2, 3]), draw([2])
    assert all(torch.allclose(together[k][2:3].float(), alone[k].float()) for k in together)


def test_guidance_extrapolates_from_the_null_condition():
    class Conditional:
        def __call__(self, fields, t, condition):
            return {"x": torch.full((2, 1), 3.0 if condition else 1.0)}

    fields, t = {"x": torch.zeros(2, 1)}, torch.ones(2)
    for scale, value in ((0.0, 1.0), (1.0, 3.0), (2.0, 5.0)):
        out = Guided(Conditional(), scale)(fields, t, {"chemical_system": torch.ones(2, 3)})
        assert out["x"].tolist() == [[value]] * 2
    assert Guided(Conditional(), 4.0)(fields, t, {})["x"].tolist() == [[1.0]] * 2


def test_guidance_stops_at_its_noise_level_and_then_saves_a_network_call():
    calls = []

    def denoiser(fields, t, condition):
        calls.append(bool(condition))
        return {"x": torch.full((2,), 3.0 if condition else 1.0)}

    guided = Guided(denoiser, 2.0, until=0.25)
    condition = {"c": torch.ones(2)}
    assert float(guided({}, torch.full((2,), 0.31), condition)["x"][0]) == 5.0
    assert float(guided({}, torch.full((2,), 0.25), condition)["x"][0]) == 3.0
    assert calls == [True, False, True]


def test_guidance_keeps_the_composition_in_both_terms():
    """Eq. 2 of UniMat (Yang et al. 2023): (1 + omega) eps(x | c, aux) - omega eps(x | c)."""
    seen = []

    def denoiser(fields, t, condition):
        seen.append(set(condition))
        return {"x": fields["x"] * 0 + len(condition)}

    guided = Guided(denoiser, 3.0, kept=("chemical_system",))
    system = {"chemical_system": torch.ones(2, 3), "chemical_system_present": torch.ones(2)}
    fields, t = {"x": torch.zeros(2, 1)}, torch.ones(2)
    assert guided(fields, t, system | {"e_form": torch.ones(2, 1)})["x"].tolist() == [[2 + 3.0 * (3 - 2)]] * 2
    assert seen[1] == set(system)
    assert (
        guided(fields, t, system)["x"].tolist() == [[2.0]] * 2 and len(seen) == 3
    )  # without a condition there is nothing to guide, so one call is enough
