"""What a forwarder's container sees: the node's files that it mounts, and its configuration."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kcompliance.model.apiserver.plain_data import at, mapping, sequence, text
from kcompliance.model.forwarder_config import (
    ConfigFiles,
    Software,
    first_files,
    software_of,
)
from kcompliance.model.forwarder_config.globs import worked_out
from kcompliance.model.listing import Listing
from kcompliance.model.reading import REDACTED, Raw
from kcompliance.model.workloads import Container, DaemonSet, image_name

__all__ = ["Configuration", "NotAtHand", "config_of", "paths_in_container"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A forwarder's configuration as far as ConfigMaps hold it, and the bytes it stands in."""

    software: Software
    files: ConfigFiles
    raws: tuple[tuple[str, Raw], ...]
    """The ConfigMaps by name."""


@dataclass(frozen=True, slots=True)
class NotAtHand:
    """Its configuration is not in what was read: `because`, in words."""

    because: str


def paths_in_container(found: DaemonSet, container: Container, path: str) -> tuple[str, ...]:
    """What the container calls this path of the node; several if it is mounted more than once."""
    wanted = worked_out(path)
    names = []
    for mount, volume, sub_path in container.mounts:
        host = found.host_paths.get(volume)
        if not host or "$(" in sub_path:
            continue
        base = worked_out(f"{host}/{sub_path}").rstrip("/")
        if wanted == base or wanted.startswith(f"{base}/"):
            names.append(worked_out(mount + wanted[len(base) :]))
    return tuple(dict.fromkeys(names))


def config_of(
    found: DaemonSet, container: Container, config_maps: Listing
) -> Configuration | NotAtHand:
    """The configuration that the container starts with."""
    software = software_of(image_name(container.image))
    if software is None:
        return NotAtHand(f"how {image_name(container.image)} is configured is not read")
    if software is Software.ELASTIC_AGENT and _of_fleet(container):
        return NotAtHand("its configuration is kept by Fleet")
    texts: dict[str, str] = {}
    raws: dict[str, Raw] = {}
    lacking: list[str] = []
    for mounted in _mounted(found, container):
        if mounted.secret:
            continue
        config_map = _config_map(config_maps, found.namespace, mounted.source)
        if config_map is None:
            lacking.append(mounted.source)
            continue
        texts |= _placed(mounted, mapping(at(config_map[0], "data")))
        raws[mounted.source] = config_map[1]
    first, missing = first_files(software, container.words, tuple(texts))
    problem = _problem(found, container, missing, lacking, at_hand=bool(first))
    if problem:
        return NotAtHand(problem)
    return Configuration(
        software=software,
        files=ConfigFiles(texts=texts, first=first, unsure=_hidden(first, texts)),
        raws=tuple(sorted(raws.items())),
    )


def _of_fleet(container: Container) -> bool:
    return any(name.startswith("FLEET_") for name in container.variables)


def _hidden(first: list[str], texts: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(f"{path} was taken out" for path in first if texts.get(path) == REDACTED)


def _problem(
    found: DaemonSet, container: Container, missing: list[str], lacking: list[str], *, at_hand: bool
) -> str | None:
    """Why it cannot be known with which file it starts."""
    secret = next(
        (m for m in _mounted(found, container) if m.secret and any(map(m.holds, missing))), None
    )
    if secret:
        return f"its configuration {missing[0]} is in the Secret {secret.source}, which is not read"
    if missing and lacking:
        names = ", ".join(sorted(set(lacking)))
        return (
            f"its configuration {missing[0]} is not at hand, and neither is the ConfigMap {names}"
        )
    if missing:
        return f"its configuration {missing[0]} is in no ConfigMap that it mounts"
    return None if at_hand else "its configuration is in no ConfigMap that it mounts"


# --- volumes -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mounted:
    """A ConfigMap or Secret at a path; `items` maps its keys to other names, if any is given."""

    path: str
    source: str
    sub_path: str
    items: Mapping[str, str] | None
    secret: bool

    def holds(self, path: str) -> bool:
        return path == self.path or path.startswith(f"{self.path}/")


def _mounted(found: DaemonSet, container: Container) -> Iterator[_Mounted]:
    pod = at(found.found, "spec", "template", "spec")
    volumes = {text(at(volume, "name")): volume for volume in sequence(at(pod, "volumes"))}
    for path, name, sub_path in container.mounts:
        volume = volumes.get(name)
        sources = [(at(volume, "configMap"), False), (at(volume, "secret"), True)]
        for each in sequence(at(volume, "projected", "sources")):
            sources += [(at(each, "configMap"), False), (at(each, "secret"), True)]
        for source, secret in sources:
            named = text(at(source, "name")) or text(at(source, "secretName"))
            if named:
                yield _Mounted(
                    path=worked_out(path),
                    source=named,
                    sub_path=sub_path,
                    items=_items(at(source, "items")),
                    secret=secret,
                )


def _items(found: object) -> Mapping[str, str] | None:
    if not isinstance(found, list):
        return None
    return {text(at(each, "key")) or "": text(at(each, "path")) or "" for each in sequence(found)}


def _placed(mounted: _Mounted, data: Mapping[str, object]) -> dict[str, str]:
    """The texts of a ConfigMap by the paths at which the container finds them."""
    names = mounted.items if mounted.items is not None else {key: key for key in data}
    by_name = {name: data[key] for key, name in names.items() if key in data}
    if mounted.sub_path:
        content = by_name.get(mounted.sub_path)
        return {mounted.path: content} if isinstance(content, str) else {}
    return {
        worked_out(f"{mounted.path}/{name}"): content
        for name, content in by_name.items()
        if isinstance(content, str)
    }


def _config_map(listed: Listing, namespace: str, name: str) -> tuple[object, Raw] | None:
    """Of files a ConfigMap without a namespace, as Helm writes them, is taken for the one."""
    for found, raw in listed.of_kind("ConfigMap"):
        own = text(at(found, "metadata", "namespace"))
        if text(at(found, "metadata", "name")) == name and (
            own == namespace or (own is None and not listed.whole)
        ):
            return found, raw
    return None
