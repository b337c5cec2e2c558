"""`headstart bench`: what is promised about speed and quality, measured on this machine.

A benchmark prints what it measured and, with `--json FILE`, writes the same figures.
"""
# The commands import what they need when they run.

import click


@click.group()
def bench() -> None:
    """Measure what the documentation promises."""
