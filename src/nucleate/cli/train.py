"""`nucleate train`: a recipe and a dataset in, weights out; `nucleate season`: several recipes, unattended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from nucleate.train.pace import Standing


def train(
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder; an unfinished run there is resumed.")],
    recipe: Annotated[Path | None, typer.Argument(help="Recipe, a TOML file (see recipes/).")] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Fine-tune these weights, shipped or a file, instead of a recipe.")
    ] = None,
    prop: Annotated[
        str | None, typer.Option("--property", help="With --from: the column that the model learns to be asked for.")
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="With --from: your crystals, a dataset (see: nucleate data add) or parquet.")
    ] = None,
    steps: Annotated[int, typer.Option(help="With --from: training steps.")] = 2000,
    rank: Annotated[int, typer.Option(help="With --from: rank of the adapters; 0 trains all parameters.")] = 16,
    data: Annotated[
        Path | None, typer.Option(help="File of prepared crystals or formulas, instead of the recipe's dataset.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1; default: the first GPU, else the CPU.")] = None,
    until: Annotated[int | None, typer.Option(help="Stop after this step, to resume later.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    save_every: Annotated[
        float, typer.Option(min=0.01, help="Minutes between two checkpoints, in addition to those of the recipe.")
    ] = 5.0,
    tensorboard: Annotated[bool, typer.Option(help="Write TensorBoard events beside metrics.jsonl.")] = False,
) -> None:
    """Train a recipe or fine-tune a model; an unfinished run is resumed.

    Several GPUs: torchrun --nproc-per-node N -m nucleate.train RECIPE --data FILE --out DIR."""
    from nucleate.errors import NucleateError
    from nucleate.search.names import require_names
    from nucleate.systems import load_recipe, system_of
    from nucleate.train.shipped import require_brought

    if start is not None and (prop is None or dataset is None):
        raise NucleateError("--from needs --property COLUMN and --dataset CRYSTALS")
    if (recipe is None) == (start is None):
        raise NucleateError("give a recipe, or --from WEIGHTS --property COLUMN --dataset CRYSTALS to fine-tune")
    if recipe is not None:
        settings = load_recipe(recipe)  # an error in it is reported before torch is loaded
        require_brought(settings.train.start_from)
        needed: tuple[str, ...] = settings.properties
    require_names(weights=[start] if start else (), datasets=[dataset] if dataset else ())
    import torch

    from nucleate.cli.progress import progress_shown
    from nucleate.cli.tables import output_console
    from nucleate.generators import read_info
    from nucleate.train.finetune import finetune_recipe
    from nucleate.train.loop import Trainer
    from nucleate.train.pace import duration
    from nucleate.train.stopping import Stopped

    notes = output_console(stderr=True)
    if start is not None and prop is not None and dataset is not None:
        settings = finetune_recipe(read_info(start), start, prop, dataset, steps=steps, rank=rank)
        needed = (prop,)
    if threads is not None:
        torch.set_num_threads(threads)
    if data is not None:
        examples = system_of(settings).data.load(data)
    else:
        from nucleate.systems import prepare_for

        with progress_shown() as watch:
            examples, summary = prepare_for(settings, watch.progress, needed)
        notes.print(str(summary))
    trainer = Trainer(settings, examples, out, device, save_every * 60)
    last = trainer.last_step(until)
    if trainer.step:
        notes.print(f"resuming {out} at step {trainer.step}")
    if trainer.step < last:
        work = f"{last - trainer.step:,} steps of {settings.train.batch_size} {trainer.unit} on {trainer.device}"
        notes.print(f"{work}: about {duration(trainer.estimate(until))}", soft_wrap=True)
    writer = tensorboard_writer(out) if tensorboard else None
    try:
        with _shown(settings.name, notes) as show:
            trainer.run(on_log=writer, until=until, on_standing=show)
    except Stopped as stop:
        notes.print(f"{stop} at step {trainer.step:,}, saved; the same command goes on")
        raise typer.Exit(stop.exit_code) from None
    except KeyboardInterrupt:
        notes.print(f"interrupted; the same command goes on from step {trainer.saved or 0:,}, which is saved")
        raise typer.Exit(130) from None
    output_console().print(f"weights: {out / 'weights.safetensors'}", soft_wrap=True)


def season(
    queue: Annotated[Path, typer.Argument(help="The queue, a TOML file (docs/season.md).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the season; unfinished runs in it are resumed.")],
    only: Annotated[str | None, typer.Option(help="Names of the runs to train, with commas; default: all.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1; default: the first GPU, else the CPU.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Train the recipes of a queue one after another, each validated as it goes; the same call goes on after any
    interruption."""
    from nucleate.tasks.season import FAILED, LOG, read_queue, run_season

    runs = read_queue(queue)  # an error in it is reported before torch is loaded
    from nucleate.cli.progress import progress_shown
    from nucleate.cli.tables import output_console
    from nucleate.train.pace import TrainingLines
    from nucleate.train.stopping import Stopped

    notes = output_console(stderr=True)

    def tell(line: str) -> None:
        notes.print(line, soft_wrap=True)

    names = [name.strip() for name in only.split(",")] if only else []
    try:
        with progress_shown() as watch:
            states = run_season(
                runs,
                out,
                only=names,
                device=device,
                threads=threads,
                told=tell,
                on_standing=TrainingLines("season", tell),
                watch=watch,
            )
    except Stopped as stop:
        tell(f"{stop}, everything is saved; the same command goes on")
        raise typer.Exit(stop.exit_code) from None
    except KeyboardInterrupt:
        tell("interrupted; the same command goes on from the last checkpoint")
        raise typer.Exit(130) from None
    output_console().print(f"log: {out / LOG}", soft_wrap=True)
    if any(state.status == FAILED for state in states.values()):
        raise typer.Exit(1)


@contextlib.contextmanager
def _shown(name: str, notes: Console) -> Iterator[Callable[[Standing], None]]:
    """A context with a function that shows the state of a training run: a bar on a terminal, elsewhere lines."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from nucleate.train.pace import TrainingLines, duration

    if not notes.is_terminal:
        yield TrainingLines(name, lambda text: notes.print(text, soft_wrap=True))
        return
    columns = TextColumn("{task.description}"), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, TextColumn("{task.fields[standing]}"), console=notes) as bar:
        task = bar.add_task(name, total=None, standing="")

        def show(standing: Standing) -> None:
            text = f"{standing.speed}, {duration(standing.seconds_left)} to go"
            bar.update(task, completed=standing.step, total=standing.steps, standing=text)

        yield show


def tensorboard_writer(folder: Path) -> Callable[[dict[str, Any]], None]:
    """A function that writes lines of metrics as TensorBoard events.

    Raises NucleateError where TensorBoard is not installed.
    """
    from nucleate.errors import NucleateError

    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise NucleateError("TensorBoard is not installed; run: pip install 'nucleate[tensorboard]'") from None
    writer = SummaryWriter(str(folder))

    def write(line: dict[str, Any]) -> None:
        for name, value in line.items():
            if name != "step":
                writer.add_scalar(name, value, line["step"])
        writer.flush()

    return write
