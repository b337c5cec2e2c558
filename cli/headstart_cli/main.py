"""`headstart`, whose subcommands load their packages only when they are called."""

from __future__ import annotations

import importlib
import os
from typing import NamedTuple

import click

# The networks here are small, and rows are spread over threads where there are many. Threads of
# numpy's BLAS beside them, which wait for work by spinning, made decisions three times as slow on
# a busy machine. It reads this when numpy is first imported, which is later.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class Source(NamedTuple):
    """Where a subcommand is, and the extra of `headstart` that it needs."""

    module: str
    extra: str
    summary: str


COMMANDS = {
    "operator": Source("headstart_operator.cli", "operator", "Run the operator."),
    "assist-reset": Source(
        "headstart_operator.rivals.assist_reset", "operator", "Put back what nobody prolongs."
    ),
    "selftest": Source(
        "headstart_operator.selftest", "operator", "See whether the operator serves a policy."
    ),
    "status": Source(
        "headstart_operator.explain.commands", "explain", "Show all policies in one table."
    ),
    "explain": Source(
        "headstart_operator.explain.commands", "explain", "Say what a policy decides, and why."
    ),
    "train": Source(
        "headstart_training.commands.train", "training", "Train a policy in a simulator."
    ),
    "evaluate": Source(
        "headstart_training.commands.evaluate", "training", "Play a trained policy greedily."
    ),
    "backtest": Source(
        "headstart_training.commands.backtest",
        "backtest",
        "Replay a recorded load and price every decision.",
    ),
    "bench": Source(
        "headstart_training.commands.bench", "backtest", "Measure what is promised on this machine."
    ),
    "init": Source(
        "headstart_training.commands.init", "backtest", "Write the ScalingPolicy beside an HPA."
    ),
    "tour": Source(
        "headstart_training.commands.tour", "training", "Draw the seed's game, step by step."
    ),
}


class LazyGroup(click.Group):
    """Imports a subcommand when it is called: `headstart operator` must not need torch.

    Source: https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name all subcommands, also those whose extra is missing."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one subcommand.

        Raises
        ------
        click.ClickException
            Its extra is not installed.
        """
        del ctx
        source = COMMANDS.get(cmd_name)
        if source is None:
            return None
        try:
            module = importlib.import_module(source.module)
            command = getattr(module, cmd_name.replace("-", "_"))
        except ModuleNotFoundError as error:
            raise click.ClickException(
                f"`headstart {cmd_name}` needs {error.name}: "
                f"install it with `pip install 'headstart[{source.extra}]'`"
            ) from error
        if not isinstance(command, click.Command):
            raise TypeError(f"{source.module}.{cmd_name} is not a command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, source.summary) for name, source in COMMANDS.items()])


@click.group(cls=LazyGroup)
@click.version_option(package_name="headstart")
def main() -> None:
    """Scale Kubernetes workloads before their load arrives."""
