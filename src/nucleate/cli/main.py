"""The command line: one Typer application, one file per command group, one place that turns errors into a line."""

from __future__ import annotations

import errno
import inspect
import os
import sys
import warnings
from typing import Annotated, Any

import typer

from nucleate.cli import interrupts
from nucleate.cli.check import check
from nucleate.cli.compose import compose
from nucleate.cli.data import app as data_app
from nucleate.cli.design import design
from nucleate.cli.dft import app as dft_app
from nucleate.cli.doctor import doctor
from nucleate.cli.evaluate import app as evaluate_app
from nucleate.cli.families import families
from nucleate.cli.generate import generate
from nucleate.cli.hull import app as hull_app
from nucleate.cli.known import known, with_energy
from nucleate.cli.optimise import optimise
from nucleate.cli.plugins import plugins
from nucleate.cli.predict import predict
from nucleate.cli.rank import rank
from nucleate.cli.relax import phonons, relax
from nucleate.cli.screen import screen
from nucleate.cli.show import show
from nucleate.cli.substitute import order, substitute
from nucleate.cli.train import season, train
from nucleate.errors import NucleateError
from nucleate.redact import printable, redacted

app = typer.Typer(
    name="nucleate",
    help="Design inorganic crystals: from a request to ranked, relaxed, checked structures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    design,
    generate,
    compose,
    predict,
    substitute,
    order,
    screen,
    optimise,
    check,
    relax,
    phonons,
    rank,
    show,
    families,
    known,
    train,
    season,
    plugins,
    doctor,
):
    app.command()(command)
app.add_typer(data_app, name="data", help="Datasets: download, add your own, list, prepare.")
app.add_typer(hull_app, name="hull", help="Formation energy and energy above the hull.")
app.add_typer(dft_app, name="dft", help="Density-functional theory: run, write inputs, read outputs.")
app.add_typer(evaluate_app, name="evaluate", help="Measure a generator.")


def _unbroken(group: typer.Typer) -> None:
    """Join the lines of help texts, so that they are broken at the width of the window and not as in the source."""
    for command in group.registered_commands:
        paragraphs = inspect.cleandoc(command.help or command.callback.__doc__ or "").split("\n\n")
        command.help = "\n\n".join(" ".join(p.split()) for p in paragraphs)
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            _unbroken(inner.typer_instance)


_unbroken(app)


def _version(value: bool) -> None:
    if value:
        from importlib.metadata import version

        typer.echo(f"nucleate {version('nucleate')}")
        raise typer.Exit()


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error (may stand anywhere).")
    ] = False,
) -> None:
    """Options of every command; `--debug` is taken out of the arguments by `main` before they are parsed."""


def line_of(error: BaseException) -> str:
    """One line that says what went wrong."""
    if isinstance(error, NucleateError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the disk is full{f' ({error.filename})' if error.filename else ''}; free some space and resume"
    if isinstance(error, PermissionError) or (isinstance(error, OSError) and error.errno == errno.EROFS):
        return f"no permission to write {error.filename or 'there'}; choose another folder with --out"
    if isinstance(error, MemoryError):
        return "out of memory; use a smaller --batch-size or fewer --workers"
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())[:300]} (--debug shows the traceback)"


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; exits with 0, 2 (bad input), 1 (unexpected) or 130 (Ctrl-C)."""
    # ASE's cell filter calls BLAS for small matrices, where several threads are five times slower than one (measured)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # torch's threads wait for each other in busy loops, which is slow where other programs use the cores as well
    # (measured on two busy cores: 300 s instead of 12 s for four crystals); this limit costs nothing on idle cores
    os.environ.setdefault("GOMP_SPINCOUNT", "5000")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = with_energy([a for a in arguments if a != "--debug"])
    if not debug:
        # warnings of libraries; what users must know is printed by the commands themselves
        warnings.simplefilter("ignore")
    interrupts.install()
    try:
        app(args=arguments, prog_name="nucleate")
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        interrupts.leave()
        sys.exit(130)
    except SystemExit as error:
        if error.code == 130:
            interrupts.leave()
        raise
    except Exception as error:
        if debug:
            raise
        typer.secho(
            f"error: {printable(redacted(line_of(error)))}", err=True, fg="red" if sys.stderr.isatty() else None
        )
        sys.exit(2 if isinstance(error, NucleateError | OSError) else 1)


if __name__ == "__main__":
    main()
