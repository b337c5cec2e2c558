"""``python -m tests.faults [--tries N] [--only WORD] [--json FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from rich.console import Console

from tests.cluster import ClusterError
from tests.faults.catalogue import CATALOGUE, Fault
from tests.faults.report import as_data, is_good, table
from tests.faults.rig import Rig
from tests.faults.trial import WITHIN, Outcome, attempt


def main() -> int:
    """Try every fault, print the table, and return whether all went well."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--tries", type=int, default=2, help="of each fault; default 2")
    parser.add_argument("--only", nargs="*", help="faults whose name holds one of these")
    parser.add_argument("--json", type=Path, help="write the table to this file as data")
    parser.add_argument("--logs", type=Path, help="copy the replicas' logs to this folder")
    arguments = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 110)
    words = arguments.only or [""]
    chosen = [fault for fault in CATALOGUE if any(word in fault.name for word in words)]
    rows = []
    with Rig() as rig:
        for fault in chosen:
            outcomes = []
            for number in range(arguments.tries):
                console.print(f"{fault.name}, try {number + 1} ...", end=" ")
                outcomes.append(_attempt(rig, fault))
                row = as_data(fault, outcomes[-1:])
                console.print(
                    f"recovered in {row['recovery_seconds'][0]} s, {row['decisions_lost']} lost, "
                    f"{row['wrong_scalings']} wrong"
                )
                for line in row["details"]:
                    console.print(f"  {line}")
            rows.append(as_data(fault, outcomes))
        console.print(rig.help_given)
        if arguments.logs:
            arguments.logs.mkdir(parents=True, exist_ok=True)
            for replica in rig.replicas:
                (arguments.logs / replica.log.name).write_bytes(replica.log.read_bytes())
    console.print(table(rows, WITHIN))
    if arguments.json:
        document = {"within_seconds": WITHIN, "helped": rig.helped, "faults": rows}
        arguments.json.write_text(json.dumps(document, indent=1))
    return 0 if all(is_good(row, WITHIN) for row in rows) else 1


def _attempt(rig: Rig, fault: Fault) -> Outcome:
    """Try it; what the rig itself could not do is no success, and no end of the others."""
    try:
        return attempt(rig, fault)
    except ClusterError as error:
        return Outcome(None, (f"the rig: {error}",), ())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ClusterError as error:
        sys.exit(f"error: {error}")
