"""A real S3 server of one member on loopback: versitygw, with versions and Object Lock."""

import http.client
import json
import secrets
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import boto3
from botocore.config import Config

from tests.servers.parts import VERSITYGW
from tests.servers.process import ServerExited, ServerProcess, free_port, status_of

__all__ = ["REGION", "VersityGateway"]

REGION: Final = "us-east-1"
_SECONDS_TO_START: Final = 30
_TRIES_FOR_PORTS: Final = 5


class VersityGateway:
    """An S3 server whose buckets are folders under `folder`; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()  # the server takes no relative paths
        self._port = 0
        self._process: ServerProcess | None = None
        self._executable = Path()
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

    def new_user(self) -> dict[str, str]:
        """The variables of somebody who may do nothing but what `allow` allows."""
        name, secret = f"user-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
        admin = ["--access", self.access_key, "--secret", self.secret_key]
        user = ["--access", name, "--secret", secret, "--role", "user"]
        command = [
            str(self._executable),
            "admin",
            *admin,
            "--endpoint-url",
            self.url,
            "create-user",
        ]
        subprocess.run([*command, *user], check=True, capture_output=True)
        return environment_of(name, secret)

    def allow(self, user: dict[str, str], bucket: str, *actions: str) -> None:
        """Let a new user do this in a bucket and with its objects."""
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"AWS": [user["AWS_ACCESS_KEY_ID"]]},
                    "Action": [action],
                    "Resource": f"arn:aws:s3:::{bucket}{'' if 'Bucket' in action else '/*'}",
                }
                for action in actions
            ],
        }
        client = self.client()
        client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        client.close()

    def file_of(self, bucket: str, key: str) -> Path:
        """The file in which the server keeps the latest version of an object."""
        return self._folder / "data" / bucket / key

    def start(self) -> Self:
        """Start it and wait until it answers; `Unavailable` if it is not built here."""
        self._executable = VERSITYGW.find()
        # The name of the folder for versions must not begin with that of the folder for data.
        for name in ("data", "versions", "users"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        for tries_left in reversed(range(_TRIES_FOR_PORTS)):
            try:
                self._start_once()
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

    def _start_once(self) -> None:
        self._port = free_port()
        argv = [
            str(self._executable),
            f"--access={self.access_key}",
            f"--secret={self.secret_key}",
            f"--region={REGION}",
            f"--port=127.0.0.1:{self._port}",
            f"--iam-dir={self._folder / 'users'}",
            "--health=/health",
            "--quiet",
            "posix",
            f"--versioning-dir={self._folder / 'versions'}",
            str(self._folder / "data"),
        ]
        self._process = ServerProcess("versitygw", argv, self._folder / "versitygw.log")
        try:
            self._process.wait_until(self._is_healthy, _SECONDS_TO_START)
        except BaseException:
            self.stop()
            raise

    def _is_healthy(self) -> bool:
        return status_of(self._port, "/health") == http.client.OK

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def environment_of(access_key: str, secret_key: str) -> dict[str, str]:
    """The variables that make a client of AWS the user with these keys."""
    return {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
