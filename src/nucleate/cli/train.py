"""`nucleate train`: a recipe and a dataset in, weights out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def train(
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder; an unfinished run there is resumed.")],
    recipe: Annotated[Path | None, typer.Argument(help="Recipe, a TOML file (see recipes/).")] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Fine-tune these weights, shipped or a file, instead of a recipe.")
    ] = None,
    prop: Annotated[str | None, typer.Option("--property", help="With --from: the column to be asked for.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="With --from: your crystals, a dataset (see: nucleate data add) or parquet.")
    ] = None,
    steps: Annotated[int, typer.Option(help="With --from: training steps.")] = 2000,
    rank: Annotated[int, typer.Option(help="With --from: rank of the adapters; 0 trains all parameters.")] = 16,
    data: Annotated[
        Path | None, typer.Option(help="Prepared crystals or formulas instead of the recipe's dataset.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1; default: the first GPU, else the CPU.")] = None,
    until: Annotated[int | None, typer.Option(help="Stop after this step, to resume later.")] = None,
    threads: Annotated[int | None, typer.Option(help="CPU threads.")] = None,
    tensorboard: Annotated[bool, typer.Option(help="Write TensorBoard events beside metrics.jsonl.")] = False,
) -> None:
    """Train a recipe or fine-tune a model; an unfinished run is resumed.

    Several GPUs: torchrun --nproc-per-node N -m nucleate.train RECIPE --data FILE --out DIR."""
    import torch
    from rich.console import Console

    from nucleate.cli.progress import StageBars
    from nucleate.codecs.build import load_data
    from nucleate.config import load_recipe
    from nucleate.errors import NucleateError
    from nucleate.generators import read_info
    from nucleate.train.finetune import finetune_recipe
    from nucleate.train.loop import Trainer

    notes = Console(stderr=True)
    if recipe is not None and start is None:
        settings = load_recipe(recipe)
        needed = settings.properties
    elif start is not None and recipe is None:
        if prop is None or dataset is None:
            raise NucleateError("--from needs --property COLUMN and --dataset CRYSTALS")
        settings = finetune_recipe(read_info(start), start, prop, dataset, steps=steps, rank=rank)
        needed = (prop,)
    else:
        raise NucleateError("give a recipe, or --from WEIGHTS --property COLUMN --dataset CRYSTALS to fine-tune")
    if threads is not None:
        torch.set_num_threads(threads)
    if data is not None:
        examples = load_data(settings, data)
    else:
        from nucleate.data import prepare_for

        with StageBars() as bars:
            examples, summary = prepare_for(settings, bars, needed)
        notes.print(str(summary), highlight=False)
    trainer = Trainer(settings, examples, out, device)
    if trainer.step:
        notes.print(f"resuming {out} at step {trainer.step}", highlight=False)
    with StageBars() as bars:
        log = _Log(trainer, bars, tensorboard)
        try:
            trainer.run(on_log=log, until=until)
        except KeyboardInterrupt:
            bars.bars.stop()
            notes.print(f"interrupted at step {trainer.step}; the same command resumes it", highlight=False)
            raise typer.Exit(130) from None
    Console().print(f"weights: {out / 'weights.safetensors'}", highlight=False)


class _Log:
    """Passes each line of metrics on to the bar and, where asked, to TensorBoard."""

    def __init__(self, trainer: Any, bars: Any, tensorboard: bool) -> None:
        self.trainer, self.bars, self.writer = trainer, bars, None
        if tensorboard:
            self.writer = tensorboard_writer(trainer.out)

    def __call__(self, line: dict[str, Any]) -> None:
        rate = next(v for k, v in line.items() if k.endswith("_per_s"))
        text = f"loss {line['loss']:.4f}  {rate:.0f}/s"
        self.bars(self.trainer.recipe.name, line["step"], self.trainer.config.steps)
        self.bars.bars.update(
            self.bars.tasks[self.trainer.recipe.name], description=f"{self.trainer.recipe.name} {text}"
        )
        if self.writer is not None:
            for name, value in line.items():
                if name != "step":
                    self.writer.add_scalar(name, value, line["step"])
            self.writer.flush()


def tensorboard_writer(folder: Path) -> Any:
    """A TensorBoard writer; raises NucleateError when the extra is not installed."""
    from nucleate.errors import NucleateError

    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise NucleateError("TensorBoard is not installed; run: pip install 'nucleate[tensorboard]'") from None
    return SummaryWriter(str(folder))
