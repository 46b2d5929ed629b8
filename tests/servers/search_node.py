"""One process of a search server: its settings, its Java command, its files."""

import base64
import hashlib
import json
import os
import secrets
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.servers.java_program import JavaProgram
from tests.servers.parts import ELASTICSEARCH, JAVA, OPENSEARCH
from tests.servers.process import ServerProcess

__all__ = ["PRODUCTS", "Credentials", "Product", "SearchNode"]

_SECONDS_TO_START: Final = 120
_MAIN_CLASS: Final = "testserver.Main"
_JVM: Final = ("-Xms64m", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED")
# Half the work of a start is compiling well what then runs for seconds.
_QUICK_START: Final = "-XX:TieredStopAtLevel=1"
_PASSWORD_ROUNDS: Final = 1000
_LOGGING: Final = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%c{1.}] %m%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """A user of a search server."""

    user: str
    password: str = field(repr=False)

    @property
    def header(self) -> str:
        """The value of the header `Authorization`."""
        both = f"{self.user}:{self.password}".encode()
        return f"Basic {base64.b64encode(both).decode()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A search server by the name of its settings file, and where it comes from."""

    name: str
    program: JavaProgram
    property_prefix: str
    secures: bool


PRODUCTS: Final = {
    product.name: product
    for product in (
        Product(name="elasticsearch", program=ELASTICSEARCH, property_prefix="es", secures=True),
        Product(name="opensearch", program=OPENSEARCH, property_prefix="opensearch", secures=False),
    )
}


class SearchNode:
    """A node whose every file is under `folder`; it may be started again after it has ended."""

    def __init__(
        self,
        folder: Path,
        product: Product,
        *,
        settings: Mapping[str, object],
        superuser: Credentials | None,
        heap: str,
        full_speed: bool,
    ) -> None:
        self.folder = folder
        self._product = product
        self._settings = settings
        self._superuser = superuser
        self._jvm = (*_JVM, f"-Xmx{heap}", *(() if full_speed else (_QUICK_START,)))
        self._process: ServerProcess | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        if self._process is None:
            raise RuntimeError(f"{self._product.name} does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it; whether it is ready is for `wait_until`."""
        home = self._product.program.find()
        for name in ("config", "data", "logs", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self._write_config()
        properties = (
            f"-Djava.io.tmpdir={self.folder / 'tmp'}",
            f"-D{self._product.property_prefix}.allow_insecure_settings=true",
        )
        argv = [str(JAVA.find()), *self._jvm, *properties, "-cp", f"{home}/lib/*", _MAIN_CLASS]
        log = self.folder / f"{self._product.name}.log"
        self._process = ServerProcess(
            self._product.name, [*argv, str(home), str(self.folder / "config")], log
        )

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Come back when it is ready; `ServerExited` or TimeoutError where it never will be."""
        if self._process is not None:
            self._process.wait_until(ready, _SECONDS_TO_START)

    def stop(self) -> None:
        """Ask it to end, if it runs."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        """End it as a power cut does: it gets no chance to write anything."""
        os.kill(self.pid, signal.SIGKILL)
        self.stop()

    def _write_config(self) -> None:
        config = self.folder / "config"
        paths = {"path.data": self.folder / "data", "path.logs": self.folder / "logs"}
        settings = {name: str(path) for name, path in paths.items()} | dict(self._settings)
        # JSON is YAML, too.
        (config / f"{self._product.name}.yml").write_text(json.dumps(settings, indent=1))
        (config / "log4j2.properties").write_text(_LOGGING)
        if self._superuser is not None:
            user = self._superuser.user
            (config / "users").write_text(f"{user}:{_hashed(self._superuser.password)}\n")
            (config / "users_roles").write_text(f"superuser:{user}\n")


def _hashed(password: str) -> str:
    """The hash in the form that the server's file of users takes, one of several."""
    salt = secrets.token_bytes(32)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _PASSWORD_ROUNDS, 32)
    encoded = "$".join(base64.b64encode(each).decode() for each in (salt, digest))
    return f"{{PBKDF2}}{_PASSWORD_ROUNDS}${encoded}"
