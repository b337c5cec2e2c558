"""``python -m tests.cluster build`` builds the programs; ``up`` starts a cluster to play with."""

from __future__ import annotations

import argparse
import signal
import sys

from tests.cluster.binaries import ensure
from tests.cluster.control_plane import Cluster
from tests.cluster.processes import ClusterError
from tests.cluster.progress import say


def main() -> int:
    """Run the subcommand of the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("command", choices=["build", "up"])
    command = parser.parse_args().command
    try:
        return build() if command == "build" else up()
    except ClusterError as error:
        say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        return 130


def build() -> int:
    """Build what is missing and print where everything is."""
    for name, program in ensure().items():
        say(f"{name:25}{program}")
    return 0


def up() -> int:
    """Start a cluster, print how to reach it, and keep it until Ctrl-C."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A shell that starts this in the background has it ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Cluster() as cluster:
        print(f"export KUBECONFIG={cluster.kubeconfig}", flush=True)  # noqa: T201
        say("The cluster is up; Ctrl-C ends it.")
        signal.pause()
    return 0


if __name__ == "__main__":
    sys.exit(main())
