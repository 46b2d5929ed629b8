"""A real kube-apiserver with an etcd of its own on loopback.

    with KubeApiServer(tmp_path, audit_policy=POLICY) as server:
        server.request("POST", "/api/v1/namespaces/default/secrets", body={...})
        server.audit_events()

It has no nodes, no controllers and no scheduler: nothing happens on it but what it is asked.
"""

import http.client
import json
import re
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from tests.servers.etcd import Etcd
from tests.servers.parts import KUBE_APISERVERS
from tests.servers.pki import Pki, make_pki
from tests.servers.process import ServerExited, ServerProcess, free_port

_SECONDS_TO_START: Final = 90
_SECONDS_TO_ANSWER: Final = 30
_SECONDS_TO_RECORD: Final = 10
_TRIES_FOR_PORTS: Final = 5
_LOG_TAIL: Final = 3000


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user whom the server knows by a static token."""

    name: str
    token: str
    groups: tuple[str, ...] = ()


USERS: Final = {
    user.name: user
    for user in (
        User(name="admin", token="admin-token", groups=("system:masters",)),
        User(name="audit-reader", token="audit-reader-token", groups=("auditors",)),
        User(name="nobody", token="nobody-token"),
        User(name="system:node:node1", token="node1-token", groups=("system:nodes",)),
    )
}


class KubeApiServer:
    """A kube-apiserver whose every file is under `folder`; a context manager.

    `audit_policy` is what is in the policy file and `audit_webhook` the text of a kubeconfig;
    None starts the server without the flag, and so does `audit_log=False`. `extra_args` come
    last, so they win over all others.

    Starting raises `Unavailable` if this version is not built on this machine, and
    `ServerExited` if the server refuses its configuration.
    """

    def __init__(
        self,
        folder: Path,
        *,
        version: str = "1.36",
        audit_policy: str | bytes | None = None,
        audit_log: bool = True,
        audit_webhook: str | None = None,
        extra_args: Sequence[str] = (),
    ) -> None:
        self.version = version
        self.folder = folder.resolve()
        self.kubeconfig = self.folder / "kubeconfig"
        self.ca = self.folder / "pki" / "ca.crt"
        self.log = self.folder / "kube-apiserver.log"
        self.audit_log = self.folder / "audit.log"
        self.argv: tuple[str, ...] = ()
        self._audit_policy = audit_policy
        self._writes_audit_log = audit_log
        self._audit_webhook = audit_webhook
        self._extra_args = tuple(extra_args)
        self._port = 0
        self._etcd = Etcd(self.folder / "etcd")
        self._process: ServerProcess | None = None

    @property
    def url(self) -> str:
        """The address of the API."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._running().pid

    def start(self) -> Self:
        """Start etcd and the server, and wait until it is ready."""
        executable = KUBE_APISERVERS[self.version].find()
        self._etcd.start()
        try:
            self._start_on_free_port(executable, make_pki(self.folder / "pki"))
        except BaseException:
            self.stop()
            raise
        self.kubeconfig.write_text(self.kubeconfig_for("admin"))
        return self

    def stop(self) -> None:
        """Stop both, if they run; audit events that wait to be sent in batches are sent first."""
        self._stop_process()
        self._etcd.stop()

    def restart(self, *, audit_policy: str | bytes | None = None) -> None:
        """Stop the server and start it again with the same data, arguments and address.

        A policy given here replaces what is in the policy file of a server that has one.
        """
        self._stop_process()
        if audit_policy is not None:
            _write(self._policy_file(), audit_policy)
        self._start_process()

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        user: str | None = "admin",
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, str]:
        """The status and the text of the answer.

        A body that is not bytes is sent as JSON. `user` is one of `USERS`; None sends no token.
        """
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {"Accept": "application/json"}
        if content is not None:
            sent["Content-Type"] = content_type
        if user is not None:
            sent["Authorization"] = f"Bearer {USERS[user].token}"
        connection = http.client.HTTPSConnection(
            "127.0.0.1",
            self._port,
            timeout=_SECONDS_TO_ANSWER,
            context=ssl.create_default_context(cafile=str(self.ca)),
        )
        with closing(connection):
            connection.request(method, path, content, {**sent, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def audit_events(self) -> list[dict[str, Any]]:
        """The events in the audit log file, oldest first."""
        if not self.audit_log.exists():
            return []
        complete, _, _unfinished = self.audit_log.read_text().rpartition("\n")
        return [json.loads(line) for line in complete.splitlines()]

    def wait_for_event(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event in the audit log that is wanted, which may be about to be written."""
        deadline = time.monotonic() + _SECONDS_TO_RECORD
        while True:
            for event in self.audit_events():
                if wanted(event):
                    return event
            if time.monotonic() > deadline:
                raise TimeoutError(f"no such event among {len(self.audit_events())}")
            time.sleep(0.05)

    def kubeconfig_for(self, user: str) -> str:
        """The text of a kubeconfig with which one of `USERS` reaches this server."""
        cluster = {"server": self.url, "certificate-authority": str(self.ca)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": user, "user": {"token": USERS[user].token}}],
        }
        return json.dumps(config, indent=1)

    def _start_on_free_port(self, executable: Path, pki: Pki) -> None:
        arguments = self._arguments(pki)
        for tries_left in reversed(range(_TRIES_FOR_PORTS)):
            self._port = free_port()
            self.argv = (str(executable), f"--secure-port={self._port}", *arguments)
            try:
                self._start_process()
            except ServerExited as error:
                if not (error.lost_its_port and tries_left):
                    raise
            else:
                return

    def _start_process(self) -> None:
        self._process = ServerProcess(f"kube-apiserver {self.version}", self.argv, self.log)
        try:
            self._wait_until_ready()
        except BaseException:
            self._stop_process()
            raise

    def _stop_process(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _wait_until_ready(self) -> None:
        process = self._running()
        deadline = time.monotonic() + _SECONDS_TO_START
        while not self._is_ready():
            process.must_run()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{process.name} is not ready\n{process.output()[-_LOG_TAIL:]}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            return self.request("GET", "/readyz")[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise RuntimeError(f"kube-apiserver {self.version} does not run")
        return self._process

    def _arguments(self, pki: Pki) -> tuple[str, ...]:
        """All arguments but the port; writes the files that they name."""
        return (
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--etcd-servers={self._etcd.url}",
            "--service-cluster-ip-range=10.96.0.0/24",
            f"--client-ca-file={pki.ca_certificate}",
            f"--tls-cert-file={pki.serving_certificate}",
            f"--tls-private-key-file={pki.serving_key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki.service_account_public_key}",
            f"--service-account-signing-key-file={pki.service_account_key}",
            f"--token-auth-file={_write(self.folder / 'tokens.csv', _token_file())}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            *self._audit_arguments(),
            *self._extra_args,
        )

    def _audit_arguments(self) -> list[str]:
        arguments = []
        if self._audit_policy is not None:
            policy = _write(self._policy_file(), self._audit_policy)
            arguments.append(f"--audit-policy-file={policy}")
        if self._writes_audit_log:
            arguments.append(f"--audit-log-path={self.audit_log}")
        if self._audit_webhook is not None:
            webhook = _write(self.folder / "audit-webhook.kubeconfig", self._audit_webhook)
            arguments.append(f"--audit-webhook-config-file={webhook}")
        return arguments

    def _policy_file(self) -> Path:
        return self.folder / "audit-policy.yaml"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def start_and_expect_refusal(
    folder: Path,
    *,
    version: str = "1.36",
    audit_policy: str | bytes | None = None,
    extra_args: Sequence[str] = (),
) -> str:
    """The server's own words for why it does not start; AssertionError if it starts."""
    server = KubeApiServer(
        folder, version=version, audit_policy=audit_policy, extra_args=extra_args
    )
    try:
        with server:
            pass
    except ServerExited as refused:
        return error_text(refused.log)
    raise AssertionError(f"kube-apiserver {version} starts with this")


def error_text(log: str) -> str:
    """What a kube-apiserver that ended itself gave as the reason: the last one in its log."""
    quoted = re.findall(r'"command failed" err="((?:[^"\\]|\\.)*)"', log)
    if quoted:
        return re.sub(r"\\(.)", lambda escape: _UNQUOTED.get(escape[1], escape[1]), quoted[-1])
    several_lines = re.findall(r'"command failed" err=<\n(.*?)\n >', log, re.DOTALL)
    if several_lines:
        return re.sub(r"^\t", "", several_lines[-1], flags=re.MULTILINE)
    return log.strip().rpartition("\n")[2]


_UNQUOTED: Final = {"n": "\n", "t": "\t"}


def _token_file() -> str:
    return "".join(
        f'{user.token},{user.name},{number},"{",".join(user.groups)}"\n'
        for number, user in enumerate(USERS.values(), start=1)
    )


def _write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
