"""`kcompliance demo`: scans the clusters that the package ships, and archives an audit log."""

import shlex
import tempfile
from contextlib import chdir
from pathlib import Path

import typer

from kcompliance.cli.scan_run import ScanOptions, run_scan
from kcompliance.cli.terminal import put
from kcompliance.errors import KcomplianceError

__all__ = ["demo"]


_OF_SERVERS = ("KC-AUD-005", "KC-AUD-006", "KC-AUD-008", "KC-CMP-001", "KC-CMP-003", "KC-RET-011")
_OF_AKS = ("KC-AUD-001", "KC-AUD-003")
_OF_EKS = ("KC-AUD-004", "KC-RET-009")


def demo() -> None:
    """Scan sample clusters, try their policies, archive a log and catch one changed bit.

    Everything comes with kcompliance; the archive is made in a temporary folder and removed.

    Example: kcompliance demo

    Exit codes: 0; the commands themselves would end with those that are shown.
    """
    from kcompliance.controls import shipped

    folder = Path(str(shipped("demo")))
    _scan(folder)
    with chdir(folder):
        _try_policies()
    with tempfile.TemporaryDirectory(prefix="kcompliance-demo-") as place, chdir(place):
        _archive(folder / "audit.log")
    put(
        "Yours:       kcompliance scan kube:CONTEXT   or   kcompliance scan /etc/kubernetes\n"
        "A control:   kcompliance controls show KC-AUD-008\n"
        "A policy:    kcompliance policy lint audit-policy.yaml\n"
        "An archive:  kcompliance archive run --help\n"
    )


def _scan(folder: Path) -> None:
    from kcompliance.cli.config import NO_CONFIG

    put("A few controls of each: without --control all of them are asked.\n\n")
    for name, words, controls in (
        ("faulty", "a cluster whose audit trail has holes", _OF_SERVERS),
        ("sound", "the same cluster, mended", _OF_SERVERS),
        ("aks", "an AKS cluster, from what az printed", _OF_AKS),
        ("eks", "an EKS cluster, from what aws printed", _OF_EKS),
    ):
        chosen = "".join(f" --control {control}" for control in controls)
        put(f"== {words}: kcompliance scan {name}/ --allow-manual{chosen} ==\n\n")
        options = ScanOptions(
            targets=(str(folder / name),), allow_manual=True, controls=tuple(controls)
        )
        try:
            run_scan(options, NO_CONFIG)
        except typer.Exit as finished:
            put(f"exit code {finished.exit_code}\n\n")


def _try_policies() -> None:
    """In the folder of the samples."""
    put("== what its policy records of whom ==\n\n")
    _run("policy coverage sound-policy.yaml")
    put("== what a recorded log would have been under the faulty one ==\n\n")
    _run("policy replay --policy faulty-policy.yaml --against sound-policy.yaml audit.log")


def _archive(log: Path) -> None:
    """In the current folder, which is empty."""
    put("== its audit log, archived, signed and proven ==\n\n")
    _run("keys new --out key.pem --no-passphrase")
    run = "archive run archive --stream demo/audit --key key.pem --write-trust trust.toml"
    _run(f"{run} --files {shlex.quote(str(log))}")
    _run("verify archive --trust trust.toml")
    segment = next(Path("archive/seg").rglob("*.zst"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)
    put("== somebody changes one bit of it ==\n\n")
    _run("verify archive --trust trust.toml")


def _run(command: str) -> None:
    """Run a command of ours as its user would, and tell how it ends."""
    from kcompliance.cli import app

    put(f"$ kcompliance {command}\n")
    try:
        code = app(shlex.split(command), standalone_mode=False)
    except KcomplianceError as error:
        put(f"error: {error.message}\n")
        code = error.exit_code
    put(f"exit code {int(code or 0)}\n\n")
