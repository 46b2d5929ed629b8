"""kube-apiserver's own audit-policy loader and evaluator, asked by the hundred thousand.

The program is `go/audit-oracle/main.go`; it runs as a filter for as long as the oracle is open.
"""

import base64
import json
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from tests.servers.parts import AUDIT_ORACLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The server would start with this policy; `warning` is what it would say in its log."""

    rules: int
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The server would not start with this policy, for the reason in `text`."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the policy in force says about one request."""

    level: str
    omit_stages: tuple[str, ...]
    omit_managed_fields: bool


class AuditOracle:
    """Answers for one version of kube-apiserver; a context manager.

    Opening raises `Unavailable` if it is not built on this machine. Not for several threads.
    """

    def __init__(self, version: str = "1.36") -> None:
        self.version = version
        self._process: subprocess.Popen[bytes] | None = None
        self._complaints: IO[bytes] | None = None

    def load(self, policy: bytes | str) -> Loaded | Refused:
        """Put a policy, which may be any bytes, in force for the requests after it."""
        content = policy.encode() if isinstance(policy, str) else policy
        question = {"policy_base64": base64.b64encode(content).decode()}
        (answer,) = self._ask([question])
        if "error" in answer:
            return Refused(answer["error"])
        return Loaded(rules=answer["rules"], warning=answer.get("warning", ""))

    def evaluate(self, requests: Sequence[Mapping[str, object]]) -> list[Decision]:
        """What the policy in force says about each of the requests, in their order.

        The keys of a request are those in main.go: `user` (None if not authenticated), `groups`,
        `verb`, `namespace`, `group`, `version`, `resource`, `subresource`, `name`, `path` and
        `resourceRequest`; what is absent is empty. LookupError if no policy is in force.
        """
        return [_decision(answer) for answer in self._ask(requests)]

    def _ask(self, questions: Iterable[Mapping[str, object]]) -> list[dict[str, Any]]:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        lines = [json.dumps(question).encode() + b"\n" for question in questions]
        # Written by a thread of its own: else both sides wait for ever once both pipes are full.
        writer = threading.Thread(target=_write, args=(process.stdin, b"".join(lines)))
        writer.start()
        answers = [process.stdout.readline() for _ in lines]
        writer.join()
        if answers and not answers[-1].endswith(b"\n"):
            raise RuntimeError(f"the audit oracle {self.version} died\n{self._last_words()}")
        return [json.loads(answer) for answer in answers]

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("the audit oracle is not open: use it in a `with` statement")
        return self._process

    def _last_words(self) -> str:
        assert self._complaints is not None
        self._complaints.seek(0)
        return self._complaints.read().decode(errors="replace")

    def __enter__(self) -> Self:
        executable: Path = AUDIT_ORACLES[self.version].find()
        self._complaints = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [executable],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._complaints is not None:
            self._complaints.close()
            self._complaints = None


def _decision(answer: Mapping[str, Any]) -> Decision:
    if "error" in answer:
        raise LookupError(answer["error"])
    return Decision(
        level=answer["level"],
        omit_stages=tuple(answer["omitStages"] or ()),
        omit_managed_fields=answer["omitManagedFields"],
    )


def _write(pipe: IO[bytes], lines: bytes) -> None:
    try:
        pipe.write(lines)
        pipe.flush()
    except BrokenPipeError:
        pass  # the program died, which the reader finds out and reports
