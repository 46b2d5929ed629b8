"""The Azure part of KC-PRO-011: storage accounts and workspaces that get a cluster's audit log."""

from collections.abc import Iterator

from kcompliance.checks.azure_sight import trails_to_judge
from kcompliance.checks.protection.azure_destinations import (
    audit_destinations,
    no_destination,
    not_looked_at,
)
from kcompliance.model.azure.answer import Resource, WrongAnswer
from kcompliance.model.azure.diagnostics import Destination, DestinationKind
from kcompliance.model.azure.store_settings import (
    AccountSettings,
    WorkspaceSettings,
    account_settings_of,
    cluster_key_of,
    workspace_settings_of,
)
from kcompliance.model.azure.trail import Trail
from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.finding import Evidence, Finding, evidence_of
from kcompliance.model.reading import Absent, Kind, Raw, Seen, Unreadable

__all__ = ["stores_in_azure"]

_ASPECTS = ("encrypted", "not-public")


def stores_in_azure(
    cluster: Cluster, *, require_cmk: bool, require_private_network: bool
) -> Iterator[Finding]:
    """One finding for each store and aspect."""
    for found in trails_to_judge(cluster, _ASPECTS):
        if isinstance(found, Finding):
            yield found
            continue
        destinations = audit_destinations(found)
        for aspect in _ASPECTS if not destinations else ():
            yield no_destination(found, "a store", aspect)
        for destination in destinations:
            yield from _of(
                found,
                destination,
                require_cmk=require_cmk,
                require_private_network=require_private_network,
            )


def _of(
    trail: Trail, destination: Destination, *, require_cmk: bool, require_private_network: bool
) -> Iterator[Finding]:
    look = trail.look(destination)
    if not isinstance(look, Seen):
        for aspect in _ASPECTS:
            yield not_looked_at(trail, destination, look, aspect)
        return
    try:
        match destination.kind:
            case DestinationKind.STORAGE:
                account = account_settings_of(look.value)
                yield _account_keys(destination.id, account, look.raw, require_cmk=require_cmk)
                yield _account_doors(
                    destination.id, account, look.raw, private=require_private_network
                )
            case DestinationKind.WORKSPACE:
                workspace = workspace_settings_of(look.value)
                yield _workspace_keys(trail, destination.id, workspace, look.raw, own=require_cmk)
                yield _workspace_doors(
                    destination.id, workspace, look.raw, private=require_private_network
                )
            case _:
                yield from _passed_on(destination, look)
    except WrongAnswer as error:
        gap = Unreadable(origin=look.raw.origin, reason=f"could not be read: {error}")
        for aspect in _ASPECTS:
            yield Finding.unreadable(gap, aspect=aspect)


def _passed_on(destination: Destination, look: Seen[Resource]) -> Iterator[Finding]:
    because = "an event hub keeps events for days only, and what it hands them to Azure cannot tell"
    evidence = evidence_of(look.raw, "id", destination.id)
    for aspect, asked in (("encrypted", "encrypted at rest"), ("not-public", "not public")):
        question = f"Where do the events of {destination.id} go, and is that store {asked}?"
        yield Finding.manual(destination.id, because, question, evidence, aspect=aspect)


# --- encryption ------------------------------------------------------------------------------


def _account_keys(id_: str, account: AccountSettings, raw: Raw, *, require_cmk: bool) -> Finding:
    source = "Microsoft.Keyvault" if account.own_key else "Microsoft.Storage"
    evidence = evidence_of(raw, "encryption.keySource", source)
    if not account.encrypted:
        evidence = evidence_of(raw, "encryption.services.blob.enabled", "false")
        because = "its blobs are not encrypted"
        return Finding.failed(id_, because, evidence, aspect="encrypted")
    if require_cmk and not account.own_key:
        because = "it is encrypted with a key of Azure's, and require_cmk asks for one of your own"
        return Finding.failed(id_, because, evidence, aspect="encrypted")
    whose = "a key of your own key vault" if account.own_key else "a key that Azure keeps"
    return Finding.passed(id_, f"it is encrypted with {whose}", evidence, aspect="encrypted")


def _workspace_keys(
    trail: Trail, id_: str, workspace: WorkspaceSettings, raw: Raw, *, own: bool
) -> Finding:
    shown = workspace.dedicated_cluster or "none"
    evidence = evidence_of(raw, "features.clusterResourceId", shown)
    if own and workspace.dedicated_cluster is None:
        because = (
            "it is encrypted with a key of Azure's, as it is in no dedicated cluster, and "
            "require_cmk asks for one of your own"
        )
        return Finding.failed(id_, because, evidence, aspect="encrypted")
    if own:
        return _cluster_keys(trail, id_, shown, evidence)
    because = "Azure encrypts every workspace, and nobody can switch that off"
    return Finding.passed(id_, because, evidence, aspect="encrypted")


def _cluster_keys(trail: Trail, id_: str, cluster: str, evidence: tuple[Evidence, ...]) -> Finding:
    """The key of the dedicated cluster that a workspace is in."""
    found = trail.estate.find(Kind.AZURE_DEDICATED_CLUSTER, cluster, cluster_key_of)
    if isinstance(found, Unreadable):
        return Finding.unreadable(found, aspect="encrypted")
    if isinstance(found, NotAsked):
        because = f"its dedicated cluster {cluster} is not in what was given"
        question = f"What does `az resource show --ids {cluster} -o json` print?"
        return Finding.manual(id_, because, question, evidence, aspect="encrypted")
    if isinstance(found, Absent):
        because = f"it names the dedicated cluster {cluster}, which cannot be found"
        return Finding.error(id_, because, evidence, aspect="encrypted")
    evidence += evidence_of(found.raw, "keyVaultProperties", found.value.name or "none")
    if found.value.name is None:
        because = f"its dedicated cluster {cluster} is encrypted with a key of Azure's, and "
        because += "require_cmk asks for one of your own"
        return Finding.failed(id_, because, evidence, aspect="encrypted")
    if found.value.state.lower() != "succeeded":
        because = f"its dedicated cluster {cluster} is {found.value.state}: its key may not be in "
        because += "use yet"
        return Finding.error(id_, because, evidence, aspect="encrypted")
    because = "its dedicated cluster is encrypted with a key of your own key vault"
    note = "what it got before it was linked to the cluster is encrypted with a key of Azure's"
    return Finding.passed(id_, because, evidence, aspect="encrypted", notes=(note,))


# --- doors -----------------------------------------------------------------------------------


def _account_doors(id_: str, account: AccountSettings, raw: Raw, *, private: bool) -> Finding:
    shown = {True: "true", False: "false", None: "not set"}[account.public_blobs]
    evidence = evidence_of(raw, "allowBlobPublicAccess", shown)
    if account.public_blobs is not False:
        because = (
            f"allowBlobPublicAccess is {shown}: each of its containers may be opened to anybody"
        )
        return Finding.failed(id_, because, evidence, aspect="not-public")
    rule = "Deny" if account.closed else "Allow"
    evidence += evidence_of(raw, "networkAcls.defaultAction", rule)
    evidence += evidence_of(raw, "publicNetworkAccess", account.network)
    if account.network == "securedbyperimeter":
        because = "no blob is public; which networks reach it a security perimeter decides"
        question = f"Does the perimeter around {id_} let diagnostic settings in, and who else?"
        return Finding.manual(id_, because, question, evidence, aspect="not-public")
    closed = account.closed or account.network == "disabled"
    if closed and not account.lets_azure_in:
        evidence += evidence_of(raw, "networkAcls.bypass", "without AzureServices")
        because = (
            "its firewall keeps out Azure's own services too, so diagnostic settings cannot "
            "deliver: the audit log is lost"
        )
        return Finding.failed(id_, because, evidence, aspect="not-public")
    if closed:
        because = "no blob is public, and its firewall is closed to all but named networks"
        return Finding.passed(id_, because, evidence, aspect="not-public")
    if private:
        because = "it can be reached from any network, and require_private_network asks for less"
        return Finding.failed(id_, because, evidence, aspect="not-public")
    note = "it can be reached from any network, by those who have a right or a key"
    because = "no blob can be read without a right"
    return Finding.passed(id_, because, evidence, aspect="not-public", notes=(note,))


def _workspace_doors(id_: str, workspace: WorkspaceSettings, raw: Raw, *, private: bool) -> Finding:
    shown = "Enabled" if workspace.public_query else "not Enabled"
    evidence = evidence_of(raw, "publicNetworkAccessForQuery", shown)
    if workspace.public_query and private:
        because = "queries may come from any network, and require_private_network asks for less"
        return Finding.failed(id_, because, evidence, aspect="not-public")
    notes: tuple[str, ...] = ()
    if workspace.public_query:
        notes += ("queries may come from any network, by those who have a right",)
    if workspace.public_ingestion and workspace.workspace_keys:
        notes += ("who has a workspace key may write records of his own from any network",)
    because = "nothing in a workspace can be read without a right"
    return Finding.passed(id_, because, evidence, aspect="not-public", notes=notes)
