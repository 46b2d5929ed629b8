"""A second real S3 server on loopback: MinIO, for what must not hold on one server only."""

import http.client
import secrets
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import boto3
from botocore.config import Config

from tests.servers.parts import MINIO
from tests.servers.process import ServerExited, ServerProcess, free_port, status_of
from tests.servers.versitygw import REGION, environment_of

__all__ = ["Minio"]

_SECONDS_TO_START: Final = 60
_TRIES_FOR_PORTS: Final = 5


class Minio:
    """An S3 server that keeps everything under `folder`; a context manager.

    It refuses to break a lock with 400 InvalidRequest, where AWS says 403 AccessDenied.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._port = 0
        self._process: ServerProcess | None = None
        self.access_key = "the-root-of-the-tests"
        self.secret_key = secrets.token_urlsafe(24)

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port for clients."""
        return self._port

    def environment(self) -> dict[str, str]:
        """The variables with which a client of AWS is the owner of all buckets."""
        return environment_of(self.access_key, self.secret_key)

    def client(self) -> Any:
        """An S3 client of boto3, for what a test does behind the back of what it tests."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def new_bucket(self, *, object_lock: bool = False) -> str:
        """The name of an empty bucket of its own."""
        name = f"bucket-{secrets.token_hex(6)}"
        client = self.client()
        client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=object_lock)
        client.close()
        return name

    def start(self) -> Self:
        """Start it and wait until it answers; `Unavailable` if it is not built here."""
        executable = MINIO.find()
        (self._folder / "data").mkdir(parents=True, exist_ok=True)
        for tries_left in reversed(range(_TRIES_FOR_PORTS)):
            try:
                self._start_once(executable)
            except ServerExited as error:
                if not (error.lost_its_port and tries_left):
                    raise
            else:
                break
        return self

    def stop(self) -> None:
        """Stop it, if it runs."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _start_once(self, executable: Path) -> None:
        self._port = free_port()
        variables = {
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_REGION": REGION,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }
        argv = [
            *("env", *(f"{name}={value}" for name, value in variables.items())),
            *(str(executable), "server", "--quiet"),
            f"--address=127.0.0.1:{self._port}",
            f"--certs-dir={self._folder / 'certificates'}",
            str(self._folder / "data"),
        ]
        self._process = ServerProcess("minio", argv, self._folder / "minio.log")
        try:
            self._process.wait_until(self._is_healthy, _SECONDS_TO_START)
        except BaseException:
            self.stop()
            raise

    def _is_healthy(self) -> bool:
        return status_of(self._port, "/minio/health/live") == http.client.OK

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
