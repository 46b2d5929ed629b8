"""Runs the real command line in a process of its own, as a user would."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.captures import LOG_FLAG, POLICY_FLAG, ROTATION_FLAGS, SOUND_POLICY, pod

__all__ = ["HOLED_POLICY", "ROOT", "Done", "cluster", "environment", "kcompliance"]

ROOT = Path(__file__).parent.parent.parent
HOLED_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
  - level: None
    resources: [{group: apps}]
  - level: Metadata
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a finished command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it has to be."""
        return json.loads(self.out)


def environment(**more: str) -> dict[str, str]:
    """Nothing of the caller's settings."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": os.environ["HOME"],
        "COLUMNS": "200",
        **more,
    }


def kcompliance(
    *arguments: str | Path, cwd: Path, stdin: str | bytes = b"", env: dict[str, str] | None = None
) -> Done:
    """The command's exit code and output; fails where a traceback was shown."""
    done = subprocess.run(
        [sys.executable, "-m", "kcompliance", *map(str, arguments)],
        cwd=cwd,
        env=environment(**(env or {})),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=120,
        check=False,
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    assert "Traceback" not in out + err, err
    return Done(code=done.returncode, out=out, err=err)


def cluster(folder: Path, *, policy: str = SOUND_POLICY, flags: tuple[str, ...] = ()) -> Path:
    """A copy of a node: a server's manifest and the policy that it names."""
    manifests = folder / "etc/kubernetes/manifests"
    manifests.mkdir(parents=True)
    chosen = (*(flags or (POLICY_FLAG, LOG_FLAG)), *ROTATION_FLAGS)
    (manifests / "kube-apiserver.yaml").write_text(pod(*chosen))
    (folder / "etc/kubernetes/audit-policy.yaml").write_text(policy)
    return folder
