"""A real S3 server of one member on loopback: versitygw, with versions and Object Lock."""

import json
import secrets
import subprocess
from pathlib import Path

from tests.servers.parts import VERSITYGW
from tests.servers.s3_server import REGION, S3Server, environment_of

__all__ = ["VersityGateway"]


class VersityGateway(S3Server):
    """An S3 server whose buckets are folders under `folder`; a context manager."""

    program = "versitygw"

    def command(self) -> list[str]:
        """With versions, and users besides the owner."""
        executable = VERSITYGW.find()
        # The name of the folder for versions must not begin with that of the folder for data.
        for name in ("data", "versions", "users"):
            (self.folder / name).mkdir(exist_ok=True)
        return [
            str(executable),
            f"--access={self.access_key}",
            f"--secret={self.secret_key}",
            f"--region={REGION}",
            f"--port=127.0.0.1:{self.port}",
            f"--iam-dir={self.folder / 'users'}",
            "--health=/health",
            "--quiet",
            "posix",
            f"--versioning-dir={self.folder / 'versions'}",
            str(self.folder / "data"),
        ]

    def new_user(self) -> dict[str, str]:
        """The variables of somebody who may do nothing but what `allow` allows."""
        name, secret = f"user-{secrets.token_hex(4)}", secrets.token_urlsafe(24)
        admin = ["--access", self.access_key, "--secret", self.secret_key]
        user = ["--access", name, "--secret", secret, "--role", "user"]
        command = [
            str(VERSITYGW.find()),
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
        return self.folder / "data" / bucket / key
