import pytest
import torch

from nucleate.errors import NucleateError
from nucleate.nets.unet3d import UNet3D


@pytest.fixture(autouse=True)
def one_thread():
    """Tensors this small gain nothing from threads, and lose much where other work shares the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


GRIDS = [(9, 18), (1, 1), (3, 2), (1, 7)]


def network(grid, widths=(8, 12, 16), started=True):
    """started: without the zeros at which blocks and the output begin, which hide all that lies before them."""
    torch.manual_seed(0)
    net = UNet3D(3, 5, widths, 4, 6, grid)
    for p in net.parameters() if started else ():
        if not p.any():
            torch.nn.init.normal_(p, std=0.1)
    return net


def data(grid, slots=4, batch=2):
    torch.manual_seed(1)
    return torch.randn(batch, 3, slots, *grid), torch.randn(batch, 6)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("slots", [1, 2, 5])
def test_any_table_and_any_number_of_slots(grid, slots):
    x, z_c = data(grid, slots)
    out = network(grid)(x, z_c)
    assert out.shape == (2, 5, slots, *grid) and out.isfinite().all() and out.dtype == x.dtype


def test_levels_round_up():
    net = network((9, 18))
    assert [tuple(p.row.shape[1:] + p.column.shape[1:]) for p in net.position] == [(9, 18), (5, 9), (3, 5)]


@pytest.mark.parametrize("widths", [(8,), (8, 12, 16)])
@pytest.mark.parametrize("grid", [(9, 18), (1, 1)])
def test_every_weight_is_reached(grid, widths):
    """Each number, not only each tensor: no kernel meets padding alone, and no attention a single key."""
    net = network(grid, widths)
    net(*data(grid)).square().sum().backward()
    for name, p in net.named_parameters():
        assert p.grad is not None and (p.grad != 0).float().mean() > 0.99, name


def test_one_place_is_a_network_over_slots():
    one, table = network((1, 1)), network((9, 18))
    assert {tuple(m.kernel_size) for m in one.modules() if isinstance(m, torch.nn.Conv3d)} == {(3, 1, 1), (1, 1, 1)}
    count = [sum(p.numel() for p in net.parameters()) for net in (one, table)]
    assert count[0] < count[1] / 3


def test_the_network_starts_at_zero_and_can_learn():
    x, z_c = data((3, 2))
    net = network((3, 2), started=False)
    assert not net(x, z_c).any()
    net(x, z_c).sum().backward()
    assert net.read_out.weight.grad.abs().sum() > 0


def test_each_crystal_depends_only_on_its_own_condition():
    x, z_c = data((3, 2), batch=3)
    net = network((3, 2))
    out = net(x, z_c)
    assert (net(x, -z_c) - out).abs().amax((1, 2, 3, 4)).min() > 1e-3
    torch.testing.assert_close(net(x[1:2], z_c[1:2]), out[1:2], rtol=1e-4, atol=1e-5)


def test_the_output_depends_on_place_and_slots():
    """The same values at other places mean other elements; a slot far away is seen too."""
    net = network((9, 18)).double()
    z_c = torch.zeros(1, 6, dtype=torch.double)
    x = torch.ones(1, 3, 6, 9, 18, dtype=torch.double)
    out = net(x, z_c)
    assert (out[..., 4, 4] - out[..., 4, 13]).abs().max() > 1e-3
    x[:, :, 0, 0, 0] += 1
    assert (net(x, z_c) - out)[0, :, 5, 8, 17].abs().max() > 1e-8


def copied(x):
    """What stands at the first place of the table, at every place."""
    return x[..., :1, :1].expand_as(x)


@pytest.mark.parametrize(
    ("grid", "task"), [((2, 4), copied), ((2, 4), lambda x: x.flip(-1)), ((1, 1), lambda x: x.flip(2))]
)
def test_the_network_learns_what_one_place_alone_does_not_show(grid, task):
    """Values are independent, so a model that sees its own place alone can do no better than an error of 7/8."""
    torch.manual_seed(0)
    net = UNet3D(1, 1, (16, 16), 2, 4, grid)
    optimiser = torch.optim.Adam(net.parameters(), 1e-2)
    errors = []
    for _ in range(50):
        x = torch.randn(16, 1, 3, *grid)
        error = (net(x, torch.zeros(16, 4)) - task(x)).square().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(error.item())
    assert sum(errors[-5:]) / 5 < 0.4


def test_half_precision():
    x, z_c = data((3, 5))
    net = network((3, 5))
    exact = net(x, z_c)
    with torch.autocast("cpu", torch.bfloat16):
        out = net(x, z_c)
    out.sum().backward()
    assert out.dtype == torch.float32 and (out - exact).abs().max() < 0.1 * exact.abs().max()
    assert all(p.grad.isfinite().all() for p in net.parameters())


def test_bad_input():
    with pytest.raises(NucleateError, match=r"multiples of its 4 heads, not \[8, 10\]"):
        UNet3D(1, 1, (8, 10), 4, 4, (2, 2))
    with pytest.raises(NucleateError, match="at least one row"):
        UNet3D(1, 1, (8,), 4, 4, (0, 2))
    with pytest.raises(NucleateError, match=r"table of \(3, 2\), not \(2, 3\)"):
        network((3, 2))(*data((2, 3)))
