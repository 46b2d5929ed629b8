"""What the real S3 servers of the tests have in common: an owner, clients, buckets."""

import secrets
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.config import Config

from tests.servers.on_port import ServerOnPort

__all__ = ["REGION", "S3Server", "environment_of"]

REGION: Final = "us-east-1"


class S3Server(ServerOnPort):
    """An S3 server whose owner has these keys."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.access_key = "the-root-of-the-tests"
        self.secret_key = secrets.token_urlsafe(24)

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


def environment_of(access_key: str, secret_key: str) -> dict[str, str]:
    """The variables that make a client of AWS the user with these keys."""
    return {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
