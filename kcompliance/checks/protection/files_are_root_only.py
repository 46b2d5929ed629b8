"""KC-PRO-001: audit log, policy, manifest and webhook config files are root-only."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from kcompliance.checks.interface import check
from kcompliance.checks.protection.sites import Site, elsewhere, mounts_known, on_node, sites
from kcompliance.checks.sight import flag_in_doubt, flags_not_seen
from kcompliance.model.audit_log_files import is_of_log
from kcompliance.model.cluster import Cluster
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.in_force import Replica
from kcompliance.model.node_facts import FileFacts, FileType
from kcompliance.model.on_node import NODE
from kcompliance.model.reading import Kind

__all__ = ["Params", "files_are_root_only"]

MAIN, MODE, OWNER = "main", "manifest-mode", "manifest-owner"
_ASPECTS = (MAIN, MODE, OWNER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-PRO-001: the bits that may be set, octal."""

    file_mask: str = "0600"
    dir_mask: str = "0700"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Masks:
    file: int
    folder: int


@check("KC-PRO-001", params=Params)
def files_are_root_only(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Audit log, policy, manifest and webhook config files are root-only

    Judged by what was seen of the files on each node; for nodes that nobody looked at it asks.
    """
    masks = _masks(params)
    for aspect in _ASPECTS:
        yield from flags_not_seen(cluster, aspect, Kind.NODE_FACTS)
        if isinstance(masks, str):
            yield Finding.error(cluster.name, masks, aspect=aspect)
    for replica in elsewhere(cluster):
        yield from _not_looked_at(replica)
    if isinstance(masks, str):
        return
    for site in sites(cluster):
        yield from _files(site, masks)
        yield from _manifests(site, masks)


def _masks(params: Params) -> _Masks | str:
    """The masks, or what is wrong with them."""
    try:
        return _Masks(file=int(params.file_mask, 8), folder=int(params.dir_mask, 8))
    except ValueError:
        return f"no octal modes: file_mask {params.file_mask!r}, dir_mask {params.dir_mask!r}"


def _not_looked_at(replica: Replica) -> Iterator[Finding]:
    settings = replica.settings
    paths = [
        on_node(replica, path) or path
        for path in (settings.policy_file, settings.log_path, settings.webhook_config_file)
        if path and path != "-"
    ]
    node = replica.server.node if replica.server else None
    where = f"the node {node}" if node else f"the node of {replica.name}"
    evidence = evidence_of(replica.raw, "--audit-policy-file", settings.policy_file or "not set")
    questions = {
        MAIN: f"Who may read and write {', '.join(paths) or 'its audit files'} on {where}, the "
        "folder of the log, and each rotated log?",
        MODE: f"Is the manifest or configuration that starts kube-apiserver on {where} 0600 or "
        "stricter?",
        OWNER: f"Does it belong to root:root on {where}?",
    }
    for aspect, question in questions.items():
        yield Finding.manual(
            replica.name,
            f"no API tells modes and owners, and {where} was not looked at",
            f"{question} Scan on the node with --node-root, or look with stat -c '%a %U:%G %n'.",
            evidence,
            aspect=aspect,
        )


# --- log, policy and webhook ---------------------------------------------------------------------


def _files(site: Site, masks: _Masks) -> Iterator[Finding]:
    told: set[str] = set()
    for replica in site.replicas:
        doubt = flag_in_doubt(
            replica, "audit-policy-file", "audit-log-path", "audit-webhook-config-file"
        )
        if doubt:
            yield Finding.error(replica.name, doubt, evidence_of(replica.raw, "flags"))
            continue
        settings = replica.settings
        named = (settings.policy_file, settings.webhook_config_file)
        found = [at for path in named if (at := on_node(replica, path)) is not None]
        for path in found:
            if path not in told:
                told.add(path)
                yield _file(site, replica, path, masks)
        log = on_node(replica, settings.log_path)
        if log is not None and log not in told:
            told.add(log)
            yield _log(site, replica, log, masks)
            yield _log_folder(site, log, masks)
        if not found and log is None:
            because = "its flags name no file of the node"
            yield Finding.not_applicable(replica.name, because, evidence_of(replica.raw, "flags"))


def _file(site: Site, replica: Replica, path: str, masks: _Masks) -> Finding:
    unseen = _unseen(site, path, MAIN, sure=mounts_known(replica))
    if unseen is not None:
        return unseen
    faults = [*_mode_faults(site, path, masks.file), *_owner_faults(site, path)]
    faults += _folder_faults(site, path)
    return _verdict(site, path, faults, MAIN)


def _log(site: Site, replica: Replica, path: str, masks: _Masks) -> Finding:
    """The log, and what was rotated out of it."""
    unseen = _unseen(site, path, MAIN, sure=mounts_known(replica))
    if unseen is not None:
        return unseen
    reached = site.facts.reached(path)
    at = reached.path if reached else path
    rotated = [f.path for f in site.facts.files if f.path != at and is_of_log(at, f.path)]
    faults = [*_mode_faults(site, path, masks.file), *_owner_faults(site, path)]
    for other in rotated:
        each = [*_mode_faults(site, other, masks.file), *_owner_faults(site, other)]
        faults += [f"{PurePosixPath(other).name}: {fault}" for fault in each]
    notes = (f"with {len(rotated)} rotated files",) if rotated else ()
    return _verdict(site, path, faults, MAIN, notes)


def _log_folder(site: Site, log: str, masks: _Masks) -> Finding:
    reached = site.facts.reached(log)
    folder = str(PurePosixPath(reached.path if reached else log).parent)
    unseen = _unseen(site, folder, MAIN, sure=True)
    if unseen is not None:
        return unseen
    faults = [*_mode_faults(site, folder, masks.folder), *_owner_faults(site, folder)]
    return _verdict(site, folder, faults, MAIN, shown=f"{folder.rstrip('/')}/")


# --- what starts the server ----------------------------------------------------------------------


def _manifests(site: Site, masks: _Masks) -> Iterator[Finding]:
    prefix = f"{NODE}{site.facts.node}"
    paths = dict.fromkeys(s.raw.origin.resource.removeprefix(prefix) for s in site.on_disk)
    for path in paths:
        files = [path, *(f.path for f in site.facts.below(f"{path}.d") if _is_configuration(f))]
        for aspect in (MODE, OWNER):
            for each in files:
                unseen = _unseen(site, each, aspect, sure=True)
                if unseen is not None:
                    yield unseen
                    continue
                if aspect == MODE:
                    faults = [*_mode_faults(site, each, masks.file)]
                else:
                    faults = [*_owner_faults(site, each), *_folder_faults(site, each)]
                yield _verdict(site, each, faults, aspect)
    if not paths:
        because = f"no manifest or configuration on {site.facts.node} was found to start it"
        for aspect in (MODE, OWNER):
            yield Finding.manual(
                site.resource(""),
                because,
                f"Which file starts kube-apiserver on {site.facts.node}, and is it root's alone?",
                evidence_of(site.raw, "files"),
                aspect=aspect,
            )


def _is_configuration(file: FileFacts) -> bool:
    return file.path.endswith((".yaml", ".yml"))


# --- one path ------------------------------------------------------------------------------------


def _unseen(site: Site, path: str, aspect: str, *, sure: bool) -> Finding | None:
    """The finding where there is no file to judge; `sure`: where the server has it is known."""
    resource = site.resource(path)
    way = site.facts.way(path)
    last = way[-1] if way else None
    if last is None:
        return Finding.manual(
            resource,
            f"{path} was not looked at",
            f"Who may read and write {path} on {site.facts.node}?",
            evidence_of(site.raw, "files"),
            aspect=aspect,
        )
    evidence = _evidence(site, (last,))
    if last.type is FileType.UNREADABLE:
        because = last.problem or "could not be read"
        return Finding.error(
            resource, because, evidence, aspect=aspect, permission="root, or DAC_READ_SEARCH"
        )
    if last.type is FileType.OTHER:
        because = f"{last.path} is a pipe, a socket or a device, and no file"
        question = f"Who may read from and write to {path} on {site.facts.node}?"
        return Finding.manual(resource, because, question, evidence, aspect=aspect)
    if last.type not in (FileType.MISSING, FileType.LINK):
        known = None not in (last.mode, last.uid, last.gid)
        because = f"the facts of {path} do not tell its mode and owner"
        return None if known else Finding.error(resource, because, evidence, aspect=aspect)
    because = f"{path} is named by the server's flags, and is not on the node"
    if last.path != path:
        because = f"{path} is a link, and what it leads to, {last.path}, is not on the node"
    if sure and site.facts.processes is not None:
        return Finding.failed(resource, because, evidence, aspect=aspect)
    question = f"Who may read and write {path} of the server on {site.facts.node}?"
    return Finding.manual(resource, because, question, evidence, aspect=aspect)


def _mode_faults(site: Site, path: str, mask: int) -> Iterator[str]:
    """A list that lets others in shows in the bits of the group: they are its mask."""
    reached = site.facts.reached(path)
    mode = reached.mode if reached and reached.mode is not None else 0o7777
    if mode & ~mask:
        yield f"its mode is {mode:04o}, and {mode & ~mask:04o} of it is more than {mask:04o}"
    if reached and reached.acl:
        yield "an access control list lets others in"


def _owner_faults(site: Site, path: str) -> Iterator[str]:
    for facts in site.facts.way(path):
        what = f"the link {facts.path}" if facts.type is FileType.LINK else "it"
        if (facts.uid, facts.gid) != (0, 0) and facts.type is not FileType.MISSING:
            yield f"{what} belongs to {facts.uid}:{facts.gid} and not to root:root"


def _folder_faults(site: Site, path: str) -> Iterator[str]:
    """Who may write in its folder can put another file in its place."""
    reached = site.facts.reached(path)
    for at in dict.fromkeys((path, reached.path if reached else path)):
        folder = site.facts.reached(str(PurePosixPath(at).parent))
        if folder is None or folder.mode is None:
            continue
        if folder.mode & 0o022 and not folder.mode & 0o1000:
            yield f"others may replace it: its folder {folder.path} is {folder.mode:04o}"
        elif folder.uid != 0:
            yield f"others may replace it: its folder {folder.path} belongs to {folder.uid}"


def _verdict(
    site: Site,
    path: str,
    faults: list[str],
    aspect: str,
    notes: tuple[str, ...] = (),
    shown: str | None = None,
) -> Finding:
    way = site.facts.way(path)
    evidence = _evidence(site, way)
    resource = site.resource(shown or path)
    if site.facts.processes is None:
        notes += ("the tree shows no /proc: modes and owners may be those of a copy",)
    links = [facts for facts in way if facts.type is FileType.LINK]
    notes += tuple(f"{link.path} is a link to {link.target}" for link in links)
    if faults:
        because = "; ".join(faults[:_MOST_TOLD])
        if len(faults) > _MOST_TOLD:
            because += f"; and {len(faults) - _MOST_TOLD} more"
        return Finding.failed(resource, because, evidence, aspect=aspect, notes=notes)
    last = way[-1]
    words = {
        MODE: f"its mode is {last.mode or 0:04o}",
        OWNER: "it belongs to root:root",
        MAIN: f"it is root's alone: {last.mode or 0:04o} root:root",
    }
    return Finding.passed(resource, words[aspect], evidence, aspect=aspect, notes=notes)


_MOST_TOLD = 5


def _evidence(site: Site, way: tuple[FileFacts, ...]) -> tuple[Evidence, ...]:
    found: tuple[Evidence, ...] = ()
    for facts in way:
        quote = facts.type.value
        if facts.mode is not None:
            quote = f"{facts.mode:04o} {facts.uid}:{facts.gid}"
        if facts.target is not None:
            quote += f" -> {facts.target}"
        found += evidence_of(site.raw, facts.path, quote)
    return found or evidence_of(site.raw, "files")
