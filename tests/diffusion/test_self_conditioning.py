import torch

from nucleate.diffusion.self_conditioning import ESTIMATE, Primed, Remembering


class Denoiser:
    """Gives the estimate it was shown plus one; remembers what it was shown and whether gradients flowed."""

    def __init__(self):
        self.shown, self.graded = [], []
        self.weight = torch.ones(1, requires_grad=True)

    def __call__(self, fields, t, condition):
        estimate = fields.get(ESTIMATE + "x")
        self.shown.append(None if estimate is None else float(estimate.detach()))
        out = {"x": (0 if estimate is None else estimate) + self.weight}
        self.graded.append(out["x"].requires_grad)
        return out


def test_training_shows_the_output_of_a_call_without_gradient():
    denoiser = Denoiser()
    out = Primed(denoiser)({"x": torch.zeros(1)}, torch.zeros(1), {})
    assert denoiser.shown == [None, 1.0]
    assert denoiser.graded == [False, True]
    out["x"].backward()
    assert float(denoiser.weight.grad) == 1.0  # gradients come only through the second call


def test_sampling_shows_the_output_of_the_call_before():
    denoiser = Denoiser()
    run = Remembering(denoiser)
    for _ in range(3):
        run({"x": torch.zeros(1)}, torch.zeros(1), {})
    assert denoiser.shown == [None, 1.0, 2.0]
