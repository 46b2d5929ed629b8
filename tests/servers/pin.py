"""Pins the servers of a Kubernetes release: `python -m tests.servers.pin 1.36.5`.

Writes go.mod and go.sum of its kube-apiserver and, if this minor version has one, of its audit
oracle. What Kubernetes takes from its own source tree (`./staging/...`) is replaced by the
modules published from that tree for the same release.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.servers.parts import AUDIT_ORACLES, GO, KUBE_APISERVERS
from tests.servers.toolchain import GoProgram, run_go

_SYSTEMS = ("linux", "darwin")


class PinFailed(Exception):
    """The go command refused; the message is its own."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.servers.pin", description=__doc__)
    parser.add_argument("release", help="such as 1.36.5", type=_release)
    release: str = parser.parse_args(arguments).release
    minor = release.rpartition(".")[0]
    pin_kube_apiserver(KUBE_APISERVERS[minor], release)
    if minor in AUDIT_ORACLES:
        pin_audit_oracle(AUDIT_ORACLES[minor], release)
    return 0


def pin_kube_apiserver(program: GoProgram, release: str) -> None:
    """Write the pins with which `program` is the kube-apiserver of this release."""
    with tempfile.TemporaryDirectory() as workplace:
        folder = Path(workplace)
        upstream = json.loads(
            _go(folder, "mod", "download", "-json", f"k8s.io/kubernetes@v{release}")
        )
        described = json.loads(_go(folder, "mod", "edit", "-json", upstream["GoMod"]))
        (folder / "go.mod").write_text(kube_apiserver_module(described, release))
        for system in _SYSTEMS:  # each needs some modules that the other does not
            _go(folder, "list", "-mod=mod", "-deps", *program.flags, program.package, GOOS=system)
        _take_pins(folder, program)


def pin_audit_oracle(program: GoProgram, release: str) -> None:
    """Write the pins with which `program` has the evaluator of this release."""
    with tempfile.TemporaryDirectory() as workplace:
        folder = Path(workplace)
        for path in (program.module / "go.mod", *program.sources):
            shutil.copy(path, folder)
        _go(folder, "get", f"k8s.io/apiserver@{_staging(release)}")
        _go(folder, "mod", "tidy")
        _take_pins(folder, program)


def kube_apiserver_module(upstream: dict[str, Any], release: str) -> str:
    """The go.mod of a module that can build what upstream's go.mod describes."""
    replaced = [
        path
        for path, target in (
            (each["Old"]["Path"], each["New"]["Path"]) for each in upstream["Replace"]
        )
        if target.startswith("./staging/")
    ]
    settings = [f"godebug {each['Key']}={each['Value']}" for each in upstream.get("Godebug") or ()]
    replacements = [f"\t{path} => {path} {_staging(release)}" for path in replaced]
    paragraphs = [
        "module kube-apiserver",
        f"go {upstream['Go']}",
        *settings,
        f"require k8s.io/kubernetes v{release}",
        "\n".join(["replace (", *replacements, ")"]),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _staging(release: str) -> str:
    return f"v0.{release.partition('.')[2]}"


def _take_pins(folder: Path, program: GoProgram) -> None:
    program.module.mkdir(parents=True, exist_ok=True)
    for name in ("go.mod", "go.sum"):
        (program.module / name).write_text((folder / name).read_text())


def _go(folder: Path, *arguments: str, **environment: str) -> str:
    done = run_go(GO.build(), folder, *arguments, **environment)
    if done.returncode:
        raise PinFailed(done.stderr)
    return done.stdout


def _release(text: str) -> str:
    if re.fullmatch(r"1\.\d+\.\d+", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a release such as 1.36.5")
    return text


if __name__ == "__main__":
    sys.exit(main())
