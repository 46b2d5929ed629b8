"""Which of the files that were given is the webhook's kubeconfig of an API server."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from kcompliance.model.cluster import Cluster
from kcompliance.model.in_force import Replica, is_copy_of
from kcompliance.model.on_node import of_node, path_on_node
from kcompliance.model.webhook_config import WebhookFile

__all__ = ["AmbiguousWebhook", "FoundWebhook", "NoWebhookText", "webhook_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundWebhook:
    """The file that the server reads at its start, and how that was told."""

    file: WebhookFile
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AmbiguousWebhook:
    """Several different files could be it."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoWebhookText:
    """It is not in what was given."""


def webhook_of(
    cluster: Cluster, replica: Replica
) -> FoundWebhook | AmbiguousWebhook | NoWebhookText:
    """The file of a replica whose settings name one.

    Told by its whole path on the node, in a folder with a copy of the node's tree too. Of copies
    of several nodes those beside the manifest count. A mere file name is enough where only one
    file has it, and then the finding says so.
    """
    path = replica.settings.webhook_config_file
    if not path:
        return NoWebhookText()
    server = replica.server
    node_path = path_on_node(server, path)
    if node_path is None:
        return NoWebhookText()  # on no volume of the node: a file of that path is another one
    texts = ((file.raw, file) for file in cluster.webhook_files)
    files = of_node(texts, server.node if server else None)
    copies = [file for file in files if is_copy_of(file.name, node_path)]
    if copies:
        return _one_of(_nearest(copies, replica.raw.origin.resource), None)
    name = PurePosixPath(node_path).name
    named = [file for file in files if PurePosixPath(file.name).name == name]
    if not named:
        return NoWebhookText()
    return _one_of(named, f"{named[0].name} was taken for {node_path} by its file name")


def _one_of(files: list[WebhookFile], note: str | None) -> FoundWebhook | AmbiguousWebhook:
    if len({file.raw.content for file in files}) > 1:
        return AmbiguousWebhook(names=tuple(file.name for file in files))
    return FoundWebhook(file=files[0], note=note)


def _nearest(files: list[WebhookFile], beside: str) -> list[WebhookFile]:
    """Those that share the longest way with the manifest."""

    def shared(file: WebhookFile) -> int:
        pairs = zip(PurePosixPath(file.name).parts, PurePosixPath(beside).parts, strict=False)
        return next((i for i, (a, b) in enumerate(pairs) if a != b), 99)

    best = max(shared(file) for file in files)
    return [file for file in files if shared(file) == best]
