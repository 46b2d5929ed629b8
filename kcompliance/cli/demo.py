"""`kcompliance demo`: a scan of the two clusters that the package ships."""

from pathlib import Path

import typer

from kcompliance.cli.scan import ScanOptions, run_scan
from kcompliance.cli.terminal import put

__all__ = ["demo"]


def demo() -> None:
    """Scan two sample clusters that come with kcompliance: one with faults, one without.

    Example: kcompliance demo

    Exit codes: 0; the scans themselves would end with 1 and with 0.
    """
    from kcompliance.cli.config import NO_CONFIG
    from kcompliance.controls import shipped

    folder = Path(str(shipped("demo")))
    for name, words in (
        ("faulty", "a cluster whose audit trail has holes"),
        ("sound", "the same cluster, mended"),
    ):
        put(f"== {words}: kcompliance scan {name}/ ==\n\n")
        try:
            run_scan(ScanOptions(targets=(str(folder / name),)), NO_CONFIG)
        except typer.Exit as finished:
            put(f"exit code {finished.exit_code}\n\n")
    put(
        "Yours:       kcompliance scan kube:CONTEXT   or   kcompliance scan /etc/kubernetes\n"
        "A control:   kcompliance controls show KC-AUD-008\n"
        "A policy:    kcompliance policy lint audit-policy.yaml\n"
    )
