"""Time and memory of networks by the size of crystals, for a training step and for a network call in sampling.

    OMP_NUM_THREADS=1 python benchmarks/networks.py [--networks transformer,unimat-dense] [--atoms 8,20,52] [--batch 16]
        [--precision float32] [--rounds 3] [--json]

A training step is forward and backward, without the optimiser; a sampling call is one forward pass, of which a crystal
takes some hundred. The crystals are random ones with exactly the given number of atoms; UniMat's table has as many
slots, so that all of them fit, and all 89 elements of MP-20. Each network and size is measured --rounds times, each
time in a process of its own; the table gives medians. Seconds are those of the CPU, peak memory is what the process
needs beyond the one that has no network yet.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # only the measured processes import torch: a child's peak memory is never less than its parent's
    from torch import Tensor, nn

    Fields = dict[str, Tensor]
    Made = tuple[nn.Module, Fields, Tensor, Fields]

RECIPES = Path(__file__).parent.parent / "recipes"
STEPS = 3  # measured in each process, after one to warm up
ELEMENTS = 89
SEEN = 1.4  # slots that UniMat's sparse network looks at for each atom, as in recipes/mp20-unimat.toml


def of_recipe(name: str, slots: bool = False, seen: bool = False, **network: Any) -> Callable[[int, int], Made]:
    """A recipe's network, with other values in its [network], and crystals for it: (atoms, batch) -> what is called.

    slots: UniMat's table has as many slots as there are atoms. seen: attention sees SEEN slots for each atom.
    """

    def make(atoms: int, batch: int) -> Made:
        import torch

        from nucleate.codecs.state import CodecState
        from nucleate.systems import load_recipe, system_of

        torch.manual_seed(0)
        recipe = load_recipe(RECIPES / f"{name}.toml").changed(
            codec={"slots": atoms} if slots else {},
            network=network | ({"seen": math.ceil(atoms * SEEN)} if seen else {}),
        )
        every = tuple(range(1, ELEMENTS + 1))
        system = system_of(recipe)
        codec: Any = system.codec(recipe, CodecState(elements=every, counts=(10,) * ELEMENTS, crystals=100))
        kinds = torch.randint(1, ELEMENTS + 1, (batch, 4))  # four elements a crystal
        numbers = kinds.repeat(1, -(-atoms // 4))[:, :atoms].sort(1).values
        lattice = (10.0 * atoms) ** (1 / 3) * torch.eye(3) + torch.rand(batch, 3, 3)
        fields = dict(codec.encode(lattice, torch.rand(batch, atoms, 3), numbers))
        return system.network(recipe, codec, atoms), fields, torch.rand(batch), {}

    return make


NETWORKS: dict[str, Callable[[int, int], Made]] = {
    "transformer": of_recipe("mp20-csp"),
    "unimat-dense": of_recipe("perov5-unimat-dense", slots=True, dim=64, widths=(32, 64, 128), heads=4),
    "unimat-sparse": of_recipe("mp20-unimat", slots=True, seen=True),
    "unimat-sparse-csp": of_recipe("mp20-unimat-csp", slots=True, seen=True),
    "compact": of_recipe("mp20-compact"),
}
FIRST = "transformer"  # what the others are compared with


def peak() -> float:
    """The most memory that this process has used, MiB."""
    scale = 1024**2 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def measure(name: str, atoms: int, batch: int, precision: str) -> dict[str, float]:
    """Both in this process: sampling first, which needs less memory."""
    import torch

    from nucleate.nets import compact, crystal_transformer, dense, slots  # noqa: F401 - loaded before the count begins

    torch.nn.Linear(256, 256)(torch.zeros(256, 256)).sum().backward()
    baseline = peak()
    network, fields, t, condition = NETWORKS[name](atoms, batch)

    def call() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            out = network(fields, t, condition)
        return torch.stack([v.float().square().mean() for v in out.values()]).sum()

    def seconds(step: Callable[[], Any]) -> float:
        times = []
        for _ in range(1 + STEPS):
            began = time.process_time()
            step()
            times.append(time.process_time() - began)
        return statistics.median(times[1:])

    with torch.inference_mode():
        sampling = seconds(call)
    sampling_memory = peak() - baseline
    training = seconds(lambda: call().backward())
    return {
        "parameters": sum(p.numel() for p in network.parameters()),
        "training_seconds": training,
        "training_mib": peak() - baseline,
        "sampling_seconds": sampling,
        "sampling_mib": sampling_memory,
    }


def medians(rows: list[dict[str, float]]) -> dict[str, float]:
    return {k: statistics.median(r[k] for r in rows) for k in rows[0]}


def table(results: dict[tuple[str, int], dict[str, float]]) -> str:
    """Markdown. After each value, in brackets: how many times the value of the first network at the same size."""
    lines = [
        "| network | parameters | atoms | training step, s | memory, MiB | sampling call, s | memory, MiB |",
        "|---|---|---|---|---|---|---|",
    ]
    for (name, atoms), row in results.items():
        first = results.get((FIRST, atoms))
        cells = []
        for key in ("training_seconds", "training_mib", "sampling_seconds", "sampling_mib"):
            ratio = (
                f" ({row[key] / first[key]:.2g} x)" if first is not None and first[key] > 0 and name != FIRST else ""
            )
            cells.append((f"{row[key]:.3f}" if "seconds" in key else f"{row[key]:.0f}") + ratio)
        lines.append(f"| {name} | {row['parameters'] / 1e6:.2f} M | {atoms} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Print a table, or one line of JSON for each network and size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", default=",".join(NETWORKS), help=f"of {', '.join(NETWORKS)}")
    parser.add_argument("--atoms", default="8,20,52")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--precision", choices=("float32", "bf16"), default="float32")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="lines of JSON in place of the table")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)  # this process is a measured one
    args = parser.parse_args()
    names, sizes = args.networks.split(","), [int(n) for n in args.atoms.split(",")]
    for name in names:
        if name not in NETWORKS:
            parser.error(f"no network {name!r}; there are {', '.join(NETWORKS)}")
    if args.one:
        print(json.dumps(measure(names[0], sizes[0], args.batch, args.precision)))
        return
    rows: dict[tuple[str, int], list[dict[str, float]]] = {(name, n): [] for n in sizes for name in names}
    for _ in range(args.rounds):
        for name, n in rows:
            command = [sys.executable, __file__, "--one", "--networks", name, "--atoms", str(n)]
            command += ["--batch", str(args.batch), "--precision", args.precision]
            rows[name, n].append(json.loads(subprocess.check_output(command, text=True)))
            print(f"{name}, {n} atoms: {rows[name, n][-1]}", file=sys.stderr, flush=True)
    results = {key: medians(many) for key, many in rows.items()}
    if args.json:
        for (name, n), row in results.items():
            print(json.dumps({"network": name, "atoms": n, "batch": args.batch, "precision": args.precision} | row))
    else:
        print(table(results))


if __name__ == "__main__":
    main()
