"""An etcd of one member on loopback."""

from tests.servers.on_port import ServerOnPort
from tests.servers.parts import ETCD
from tests.servers.process import free_port

__all__ = ["Etcd"]


class Etcd(ServerOnPort):
    """An etcd whose data, which does not survive the machine, is under `folder`."""

    program = "etcd"

    def command(self) -> list[str]:
        """A cluster of its own, without waiting for the disk."""
        peers = f"http://127.0.0.1:{free_port()}"
        settings = {
            "--name": "test",
            "--data-dir": str(self.folder / "data"),
            "--listen-client-urls": self.url,
            "--advertise-client-urls": self.url,
            "--listen-peer-urls": peers,
            "--initial-advertise-peer-urls": peers,
            "--initial-cluster": f"test={peers}",
            "--log-level": "warn",
        }
        flags = (f"{name}={value}" for name, value in settings.items())
        return [str(ETCD.find()), "--unsafe-no-fsync", *flags]
