"""The configuration with which k3s or RKE2 starts its server: files and options put together.

Sources: k3s `pkg/configfilearg` (a later file wins, a `+` behind a key adds to it, an option of
the command line wins over all files) and the units that both installers write.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from kcompliance.collect.node.root import Found, NodeRoot
from kcompliance.collect.secret_settings import redact_settings
from kcompliance.model.apiserver.configurations import is_k3s_configuration
from kcompliance.model.documents import Malformed, Unsure, read_documents

__all__ = ["TOOLS", "Configuration", "Tool", "read_configuration"]

MOST_BYTES: Final = 1024 * 1024
MOST_FILES: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """k3s or RKE2, and where it has its things."""

    name: str
    folder: str
    data: str
    units: tuple[str, ...]


TOOLS: Final = (
    Tool(
        name="k3s",
        folder="/etc/rancher/k3s",
        data="/var/lib/rancher/k3s",
        units=(
            "/etc/systemd/system/k3s.service",
            "/usr/lib/systemd/system/k3s.service",
        ),
    ),
    Tool(
        name="rke2",
        folder="/etc/rancher/rke2",
        data="/var/lib/rancher/rke2",
        units=(
            "/etc/systemd/system/rke2-server.service",
            "/usr/local/lib/systemd/system/rke2-server.service",
            "/usr/lib/systemd/system/rke2-server.service",
        ),
    ),
)


@dataclass(slots=True, kw_only=True)
class Configuration:
    """What was found; `settings` is what the server takes of files and options together."""

    settings: dict[str, Any] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    """The paths that something was read from: files first, then the unit."""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """Path and reason of each file that could not be read or understood."""
    is_server: bool = False
    """Whether a unit or its data say that a server runs here, and not only an agent."""

    @property
    def data(self) -> str | None:
        """Its data-dir, where one is set."""
        value = self.settings.get("data-dir")
        return value if isinstance(value, str) and value.startswith("/") else None

    def text(self) -> tuple[bytes, tuple[str, ...]] | None:
        """The settings as YAML without secrets, and JSON pointers to those; None: no server."""
        if not (self.is_server or is_k3s_configuration(self.settings)):
            return None
        settings = {**self.settings}
        settings.setdefault("kube-apiserver-arg", [])
        redactions = redact_settings(settings, "")
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
        return text.encode(), tuple(redactions)


def read_configuration(root: NodeRoot, tool: Tool) -> Configuration:
    """What the node's files say of a server of this tool."""
    read = Configuration()
    options = _options(root, tool, read)
    unit = read.sources.copy()
    read.sources.clear()
    main = options.pop("config", None) or f"{tool.folder}/config.yaml"
    if isinstance(main, str):
        _merge_file(root, main, read)
        _merge_folder(root, f"{main}.d", read)
    read.settings.update(options)
    read.sources += unit
    data = root.look(f"{read.data or tool.data}/server")
    read.found.append(data)
    if not data.missing:
        read.is_server = True
    return read


def _merge_folder(root: NodeRoot, folder: str, read: Configuration) -> None:
    found, names = root.names(folder, MOST_FILES)
    read.found.append(found)
    if found.refused or found.facts.problem:
        read.problems.append((folder, found.facts.problem or "could not be read"))
    for name in names:
        if name.endswith((".yaml", ".yml")):
            _merge_file(root, f"{folder}/{name}", read)


def _merge_file(root: NodeRoot, path: str, read: Configuration) -> None:
    found, data = root.read(path, MOST_BYTES)
    read.found.append(found)
    if found.refused or found.facts.problem:
        read.problems.append((path, found.facts.problem or "could not be read"))
    if data is None:
        return
    try:
        documents = read_documents(data)
    except (Malformed, Unsure) as error:
        read.problems.append((path, f"could not be read: {error}"))
        return
    read.sources.append(path)
    if documents and isinstance(documents[0], Mapping):
        _merge(read.settings, documents[0])
    elif documents:
        read.problems.append((path, "could not be read: no mapping"))


def _merge(settings: dict[str, Any], more: Mapping[Any, Any]) -> None:
    for key, value in more.items():
        if not isinstance(key, str):
            continue
        name = key.removesuffix("+")
        if name != key:
            settings[name] = [*_listed(settings.get(name)), *_listed(value)]
        else:
            settings[name] = value


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


# --- the unit ------------------------------------------------------------------------------------

_OPTIONS: Final = {
    "kube-apiserver-arg": list,
    "kube-apiserver-extra-mount": list,
    "audit-policy-file": str,
    "profile": str,
    "data-dir": str,
    "config": str,
    "d": str,
    "c": str,
}
_LONG: Final = {"d": "data-dir", "c": "config"}


def _options(root: NodeRoot, tool: Tool, read: Configuration) -> dict[str, Any]:
    """What the first unit that is there hands over behind `server`."""
    for path in tool.units:
        found, data = root.read(path, MOST_BYTES)
        read.found.append(found)
        if found.refused:
            read.problems.append((path, found.refused))
        if data is None:
            continue
        words = _exec_start(data.decode("utf-8", "replace"))
        if words is None:
            read.problems.append((path, "could not be read: its ExecStart is not understood"))
            return {}
        if "server" not in words:
            return {}
        read.is_server = True
        read.sources.append(path)
        return _given(words[words.index("server") + 1 :])
    return {}


def _exec_start(unit: str) -> list[str] | None:
    """The words of the last ExecStart; none where there is none."""
    lines = re.findall(r"^ExecStart=(.*)$", re.sub(r"\\\r?\n", " ", unit), re.MULTILINE)
    try:
        return shlex.split(lines[-1]) if lines else []
    except ValueError:
        return None


def _given(words: list[str]) -> dict[str, Any]:
    """Options that bear on the API server; a repeatable one replaces what files say of it."""
    options: dict[str, Any] = {}
    for name, value in _pairs(words):
        key = _LONG.get(name, name)
        if _OPTIONS[name] is list:
            options.setdefault(key, []).append(value)
        else:
            options[key] = value
    return options


def _pairs(words: list[str]) -> Iterator[tuple[str, str]]:
    for index, word in enumerate(words):
        name, equals, value = word.lstrip("-").partition("=")
        if not word.startswith("-") or name not in _OPTIONS:
            continue
        if equals:
            yield name, value
        elif index + 1 < len(words):
            yield name, words[index + 1]
