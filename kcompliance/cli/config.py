"""Reads kcompliance.yaml: the options of `scan`, the targets, and a section for other commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from kcompliance.cli.archive_capture import DeclaredArchive
from kcompliance.collect.search import DeclaredStore, search_target
from kcompliance.collect.targets import NamedTarget
from kcompliance.errors import ConfigError, UsageError
from kcompliance.model.control import Platform
from kcompliance.model.strict_yaml import StrictYamlError, load_strict_yaml
from kcompliance.model.waiver import Declarations

__all__ = ["DEFAULT_CONFIG", "NO_CONFIG", "Config", "read_config", "read_section"]

DEFAULT_CONFIG = Path("kcompliance.yaml")


class _Store(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    url: str
    filter: dict[str, str] = {}
    time_field: str | None = None
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    insecure: bool = False


class _Archive(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    url: str
    trust: str | None = None
    streams: list[str] = []
    endpoint: str | None = None
    region: str | None = None


class _Target(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    cluster: str | None = None
    kube: str | None = None
    files: list[str] = []
    platform: Platform | None = None
    node_root: str | None = None
    node_name: str | None = None
    stores: list[_Store] = []
    archive: _Archive | None = None


class _Config(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    control: list[str] = []
    framework: list[str] = []
    platform: str | None = None
    node_root: str | None = None
    node_name: str | None = None
    severity: str | None = None
    fail_on: str | None = None
    allow_manual: bool | None = None
    param: dict[str, Any] | list[str] = {}
    as_of: str | None = None
    baseline: str | None = None
    new_only: bool | None = None
    approved: str | None = None
    format: str | None = None
    output: str | None = None
    save_bundle: str | None = None
    progress: str | None = None
    verbose: bool | None = None
    targets: dict[str, _Target] = {}
    attestations: list[Any] | None = None
    waivers: list[Any] | None = None
    approve: dict[str, Any] = {}
    archive: dict[str, dict[str, Any]] = {}
    keys: dict[str, dict[str, Any]] = {}
    verify: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """`options` are defaults for the command line by parameter name; `parameters` as in --param.

    `declarations` is None where the file says nothing of attestations and waivers.
    """

    path: Path | None = None
    options: Mapping[str, Any]
    parameters: Mapping[str, Any]
    targets: Mapping[str, NamedTarget]
    declarations: Declarations | None = None


NO_CONFIG = Config(options={}, parameters={}, targets={})


def read_config(path: Path | None) -> Config:
    """The configuration; without a path, ./kcompliance.yaml where there is one.

    Raises ConfigError, naming the file and the key.
    """
    chosen = _chosen(path)
    if chosen is None:
        return NO_CONFIG
    from kcompliance.cli.declarations import configured

    data = _bytes(chosen)
    read = _parsed(data, chosen)
    options = {
        "controls": read.control or None,
        "frameworks": read.framework or None,
        "platform": read.platform,
        "node_root": read.node_root,
        "node_name": read.node_name,
        "severity": read.severity,
        "fail_on": read.fail_on,
        "allow_manual": read.allow_manual,
        "as_of": read.as_of,
        "baseline": read.baseline,
        "new_only": read.new_only,
        "approved": read.approved,
        "format_": read.format,
        "output": read.output,
        "save_bundle": read.save_bundle,
        "progress_style": read.progress,
        "verbose": read.verbose,
    }
    return Config(
        path=chosen,
        options={name: value for name, value in options.items() if value is not None},
        parameters=_parameters(read.param, chosen),
        targets={name: _target(name, target) for name, target in read.targets.items()},
        declarations=configured(chosen, data, read.attestations, read.waivers, read.targets),
    )


def read_section(path: Path | None, words: Sequence[str]) -> tuple[Path, Mapping[str, Any]] | None:
    """What the file says of the command of these words, such as `archive`, `run`.

    None where there is no file or nothing in it for this command. Raises ConfigError.
    """
    chosen = _chosen(path)
    if chosen is None:
        return None
    read = _parsed(_bytes(chosen), chosen)
    sections = {
        "approve": {"": read.approve},
        "archive": read.archive,
        "keys": read.keys,
        "verify": {"": read.verify},
    }
    section = sections.get(words[0], {}).get(" ".join(words[1:]))
    return (chosen, section) if section else None


def _chosen(path: Path | None) -> Path | None:
    return path or (DEFAULT_CONFIG if DEFAULT_CONFIG.is_file() else None)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f'cannot read "{path}": {error.strerror}') from error


def _parsed(data: bytes, path: Path) -> _Config:
    try:
        return msgspec.convert(load_strict_yaml(data) or {}, _Config)
    except (StrictYamlError, msgspec.ValidationError) as error:
        raise ConfigError(
            f'"{path}" is wrong: {error}', "its keys are the long options of kcompliance scan"
        ) from error


def _parameters(written: dict[str, Any] | list[str], path: Path) -> Mapping[str, Any]:
    """A mapping, or a list of NAME=VALUE as on the command line."""
    if isinstance(written, dict):
        return written
    pairs = [item.partition("=") for item in written]
    for name, equals, _ in pairs:
        if not equals:
            raise ConfigError(f'"{path}" is wrong: "{name}" under param is not NAME=VALUE')
    return {name: value for name, _, value in pairs}


def _target(name: str, read: _Target) -> NamedTarget:
    return NamedTarget(
        name=name,
        cluster=read.cluster,
        kube=read.kube,
        files=tuple(read.files),
        platform=read.platform,
        node_root=read.node_root,
        node_name=read.node_name,
        stores=tuple(_store(name, store) for store in read.stores),
        archive=None if read.archive is None else _archive(read.archive),
    )


def _store(target: str, read: _Store) -> DeclaredStore:
    try:
        return search_target(
            read.url,
            filters=read.filter,
            time_field=read.time_field,
            ca_cert=_path(read.ca_cert),
            client_cert=_path(read.client_cert),
            client_key=_path(read.client_key),
            insecure=read.insecure,
        )
    except UsageError as error:
        raise ConfigError(f"a store of the target {target}: {error.message}", error.hint) from error


def _path(written: str | None) -> Path | None:
    return None if written is None else Path(written)


def _archive(read: _Archive) -> DeclaredArchive:
    return DeclaredArchive(
        url=read.url,
        trust=None if read.trust is None else Path(read.trust),
        streams=tuple(read.streams),
        endpoint=read.endpoint,
        region=read.region,
    )
