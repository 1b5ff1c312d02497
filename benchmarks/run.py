"""A table of the cost of sampling, training, data loading and the demo by stage, with peak memory.

    python benchmarks/run.py [--quick] [--only sampling] [--out benchmarks/results.md]

Each line that compares gives a ratio measured in this run; absolute times are of this machine and its load.
Data loading needs NUCLEATE_DATA (or downloaded data); without it that line says so.
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

Row = tuple[str, str, str]  # what, measured, ratio


def seconds(call: Callable[[], object], repeat: int = 3) -> float:
    """Median wall time of `call` after one warm-up."""
    call()
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return sorted(times)[repeat // 2]


class Clock:
    """Forward hooks that time a network: `spans` holds (began, ended) of each call."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.spans: list[tuple[float, float]] = []
        self.began = 0.0
        model.register_forward_pre_hook(self.start)
        model.register_forward_hook(self.stop)

    def start(self, *_: object) -> None:
        self.began = now()

    def stop(self, *_: object) -> None:
        self.spans.append((self.began, now()))


def now() -> float:
    """The time at which the device has finished all its work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def sampling(quick: bool) -> Iterator[Row]:
    """Crystals per second from the shipped csp model: SrTiO3 cells of 5 and Mg2Al4O8 cells of 14 atoms, half each.

    The share outside the network is the sampler, decoding and Structure objects. Where fewer calls were measured than
    a row is about, the loop's time is in proportion and what comes before and after it as measured.
    """

    from nucleate.generators import Condition, load_generator

    a, b = Condition(composition={"Sr": 1, "Ti": 1, "O": 3}), Condition(composition={"Mg": 2, "Al": 4, "O": 8})
    first: dict[int, float] = {}
    for batch in (1, 64) if quick else (1, 64, 512):
        generator = load_generator("mp20-csp", batch_size=batch)
        recipe, conditions, clock = generator.settings, ([a, b] * batch)[:batch], Clock(generator.model)
        for steps in (20, 100):
            most = steps if batch < 512 or generator.device.type != "cpu" else 5
            generator.settings = recipe.changed(steps=1)
            generator.generate(conditions, list(range(batch)))
            generator.settings = recipe.changed(steps=min(steps, most))
            clock.spans.clear()
            began = now()
            generator.generate(conditions, list(range(batch)))
            whole = now() - began
            times = steps / generator.settings.steps
            loop = clock.spans[-1][1] - clock.spans[0][0]
            network = times * sum(end - start for start, end in clock.spans)
            whole += (times - 1) * loop
            rate, calls = batch / whole, len(clock.spans)
            first.setdefault(steps, rate)
            what = (
                f"sampling ({generator.device.type}), batch {batch}, {steps} steps, {calls * times:.0f} network calls"
            )
            yield (
                what + (f" ({calls} measured)" if times > 1 else ""),
                f"{rate:.3g} crystals/s, {100 * network / whole:.1f} % of the time in the network",
                f"{rate / first[steps]:.1f} x batch 1",
            )


def training(quick: bool) -> Iterator[Row]:
    """Crystals per second of the shipped csp recipe and of variants of it, on random crystals of the sizes of MP-20."""

    from nucleate.crystal.batch import CrystalBatch
    from nucleate.generators import load_generator
    from nucleate.train.loop import Trainer

    info = load_generator("mp20-csp").info
    counts = torch.tensor(info.num_atoms_counts, dtype=torch.float32)
    g = torch.Generator().manual_seed(0)
    sizes = torch.multinomial(counts, 2048, replacement=True, generator=g)
    z = torch.randint(1, 90, (2048, info.max_atoms), generator=g)
    z = z * (torch.arange(info.max_atoms) < sizes[:, None])
    lattice = 5 * torch.eye(3) + torch.rand(2048, 3, 3, generator=g)
    data = CrystalBatch(lattice, torch.rand(2048, info.max_atoms, 3, generator=g), z)
    first = 0.0
    for precision, network in (
        ("float32", {}),
        ("bf16", {}),
        ("bf16", {"attention": "fused"}),
        ("bf16", {"self_conditioning": True}),
    ):
        steps = 6 if quick else 20
        train = {"steps": 10**6, "precision": precision, "log_every": 10**6, "checkpoint_every": 10**6}
        recipe = info.recipe.changed(network=network, train=train)
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(recipe, data, folder)
            trainer.run(until=2)
            began = time.perf_counter()
            trainer.run(until=2 + steps)
            rate = steps * recipe.train.batch_size / (time.perf_counter() - began)
        first = first or rate
        change = "".join(f", {k} {v}" if v is not True else f", {k}" for k, v in network.items()).replace("_", "-")
        yield (
            f"training, {precision}{change}, batch {recipe.train.batch_size}",
            f"{rate:.0f} crystals/s",
            f"{rate / first:.2f} x float32",
        )


def attention() -> Iterator[Row]:
    """Eq. 11 with beta applied after the sum over j, against the literal (B, A, A, dim) tensor of eq. 13."""
    b, a, d, h, p = 64, 20, 128, 8, 64
    weights, pair = torch.rand(b, h, a, a), torch.randn(b, a, a, p)
    beta = torch.randn(h, p, d // h)

    def pooled() -> torch.Tensor:
        return torch.einsum("bahp,hpe->bahe", weights.transpose(1, 2) @ pair, beta)

    def literal() -> torch.Tensor:
        return torch.einsum("bhij,bijhe->bihe", weights, torch.einsum("bijp,hpe->bijhe", pair, beta))

    assert torch.allclose(pooled(), literal(), rtol=1e-3, atol=1e-3)
    fast, slow = seconds(pooled, 5), seconds(literal, 5)
    yield (
        "relative values of one block, 64 crystals of 20 atoms",
        f"{1e3 * fast:.1f} ms",
        f"{slow / fast:.1f} x the literal form",
    )


def data_loading() -> Iterator[Row]:
    """MP-20's training crystals: reduced and converted (cold), and from the cache."""
    from nucleate.data import prepare
    from nucleate.data.prepared import cache_folder
    from nucleate.errors import NucleateError

    try:
        prepare("mp-20", "train")
        warm = seconds(lambda: prepare("mp-20", "train"))
        for file in cache_folder().glob("mp_20_train-*.safetensors"):
            file.unlink()
        began = time.perf_counter()
        batch, _ = prepare("mp-20", "train")
        cold = time.perf_counter() - began
        yield f"MP-20 training set, cold ({len(batch)} crystals)", f"{cold:.1f} s", ""
        yield "MP-20 training set, cached", f"{warm:.2f} s", f"{cold / warm:.0f} x cold"
    except NucleateError as error:
        yield "MP-20 training set", f"not measured: {error}", ""


def demo() -> Iterator[Row]:
    """The README's demo as a user runs it, by stage, with the peak memory of the largest process."""
    from nucleate.tasks.design import load_run

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        began = time.perf_counter()
        command = [sys.executable, "-m", "nucleate", "design", "Li-Fe-O, 5 candidates", "--out", str(out)]
        subprocess.run(command, check=True, capture_output=True)
        total = time.perf_counter() - began
        result = load_run(out)
    for stage, spent in result.seconds.items():
        yield (
            f"demo: {stage} ({len(result.all)} crystals)",
            f"{spent:.1f} s",
            f"{100 * spent / total:.0f} % of the demo",
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    yield "demo: whole process", f"{total:.1f} s", f"peak memory {peak:.0f} MiB"


PARTS: dict[str, Callable[[bool], Iterator[Row]]] = {
    "sampling": sampling,
    "training": training,
    "attention": lambda _: attention(),
    "data": lambda _: data_loading(),
    "demo": lambda _: demo(),
}


def main() -> None:
    """Measure and print; --out also writes the table as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, no batch 512")
    parser.add_argument(
        "--only", default="", help="measure only parts whose names begin with this: " + ", ".join(PARTS)
    )
    parser.add_argument("--out", type=Path, help="write the table here as Markdown")
    args = parser.parse_args()
    lines = ["| what | measured | ratio |", "|---|---|---|"]
    print(lines[0])
    parts = [part for name, part in PARTS.items() if name.startswith(args.only)]
    if not parts:
        parser.error(f"no part begins with {args.only!r}; there are {', '.join(PARTS)}")
    for part in parts:
        for what, measured, ratio in part(args.quick):
            lines.append(f"| {what} | {measured} | {ratio} |")
            print(lines[-1], flush=True)
    machine = f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    machine += f", Python {platform.python_version()}"
    print(machine)
    if args.out:
        args.out.write_text(
            "\n".join(["# Benchmarks", "", machine + ". Made by `python benchmarks/run.py`.", "", *lines, ""])
        )


if __name__ == "__main__":
    main()
