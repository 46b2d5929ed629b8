"""A second real S3 server on loopback: MinIO, for what must not hold on one server only."""

from tests.servers.parts import MINIO
from tests.servers.s3_server import REGION, S3Server

__all__ = ["Minio"]


class Minio(S3Server):
    """An S3 server that keeps everything under `folder`; a context manager.

    It refuses to break a lock with 400 InvalidRequest, where AWS says 403 AccessDenied.
    """

    program = "minio"
    health = "/minio/health/live"

    def command(self) -> list[str]:
        """With the owner's keys, and without its console."""
        executable, data = MINIO.find(), self.folder / "data"
        data.mkdir(exist_ok=True)
        variables = {
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_REGION": REGION,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
        }
        return [
            *("env", *(f"{name}={value}" for name, value in variables.items())),
            *(str(executable), "server", "--quiet"),
            f"--address=127.0.0.1:{self.port}",
            f"--certs-dir={self.folder / 'certificates'}",
            str(data),
        ]
