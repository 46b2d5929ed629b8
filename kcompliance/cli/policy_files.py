"""Reads what the commands about policies are given."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance.errors import ExitCode, KcomplianceError, NothingToScan, UsageError

if TYPE_CHECKING:
    from kcompliance.model.audit_policy import Loaded
    from kcompliance.model.kubernetes_version import KubernetesVersion

__all__ = ["PolicyRefused", "VersionOption", "kubernetes_version", "loaded_policy", "read_whole"]

MAX_BYTES = 64 * 1024 * 1024

VersionOption = Annotated[
    str | None,
    typer.Option(
        "--kubernetes-version",
        help='The server\'s version; it decides whether group "*" loads. Newest if left out.',
        envvar="KCOMPLIANCE_KUBERNETES_VERSION",
        metavar="1.36",
    ),
]


class PolicyRefused(KcomplianceError):
    """kube-apiserver would not start with this policy: a finding, not a failure of ours."""

    exit_code = ExitCode.FINDINGS

    @property
    def code(self) -> str:
        """As in the JSON document."""
        return "policy-refused"


def read_whole(name: str) -> bytes:
    """A file's bytes or standard input's."""
    try:
        if name == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f'no such file: "{name}"') from None
    except OSError as error:
        raise NothingToScan(f'cannot read "{name}": {error.strerror}') from error
    if len(data) > MAX_BYTES:
        raise NothingToScan(f'"{name}" is larger than {MAX_BYTES // 1024 // 1024} MiB')
    return data


def kubernetes_version(text: str | None) -> "KubernetesVersion | None":
    """What `--kubernetes-version` says."""
    from kcompliance.model.kubernetes_version import KubernetesVersion

    if text is None:
        return None
    version = KubernetesVersion.parse(text)
    if version is None:
        raise UsageError(f'--kubernetes-version "{text}" is no version', "for example 1.36")
    return version


def loaded_policy(data: bytes, name: str, version: "KubernetesVersion | None") -> "Loaded":
    """The policy in a file. Raises `PolicyRefused` where the server would not start with it."""
    from kcompliance.model.audit_policy import Loaded, NotRead, load_policy

    loaded = load_policy(data, version)
    if isinstance(loaded, Loaded):
        return loaded
    if isinstance(loaded, NotRead):
        raise NothingToScan(f'"{name}" was not read: {loaded.reason}')
    raise PolicyRefused(
        f'kube-apiserver refuses "{name}": {"; ".join(loaded.reasons)}',
        "a server with this file does not start",
    )
