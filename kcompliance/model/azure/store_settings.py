"""Storage accounts and workspaces as stores of audit data: their keys, and who can reach them."""

from dataclasses import dataclass

from kcompliance.model.azure.answer import Resource, WrongAnswer, flag, part, text

__all__ = [
    "AccountSettings",
    "ClusterKey",
    "WorkspaceSettings",
    "account_settings_of",
    "cluster_key_of",
    "workspace_settings_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountSettings:
    """What a storage account says of its encryption and of its doors."""

    encrypted: bool
    own_key: bool
    """The key lies in a key vault of the owner's."""
    public_blobs: bool | None
    """Containers may be open to anybody; None: the account does not say."""
    shared_keys: bool
    """Who has an account key may do everything, whatever his roles; on unless switched off."""
    network: str
    """enabled, disabled or securedbyperimeter: whether addresses of the internet are served."""
    closed: bool
    """Its firewall refuses networks that are not named."""
    lets_azure_in: bool
    """Azure's own services, such as diagnostic settings, come through the firewall."""


def account_settings_of(resource: Resource) -> AccountSettings:
    """Read one storage account. Raises WrongAnswer."""
    fields = resource.fields
    encryption = part(fields, "encryption")
    if encryption is None:
        raise WrongAnswer("a storage account without encryption: not all that Azure says of it")
    blob = part(part(encryption, "services") or {}, "blob") or {}
    # `az` calls the firewall networkRuleSet, and Resource Manager networkAcls.
    firewall = part(fields, "networkAcls") or part(fields, "networkRuleSet") or {}
    bypass = {word.strip().lower() for word in (text(firewall, "bypass") or "").split(",")}
    return AccountSettings(
        encrypted=flag(blob, "enabled") is not False,
        own_key=(text(encryption, "keySource") or "").lower() == "microsoft.keyvault",
        public_blobs=flag(fields, "allowBlobPublicAccess"),
        shared_keys=flag(fields, "allowSharedKeyAccess") is not False,
        network=(text(fields, "publicNetworkAccess") or "Enabled").lower(),
        closed=(text(firewall, "defaultAction") or "Allow").lower() == "deny",
        lets_azure_in="azureservices" in bypass,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceSettings:
    """What a workspace says of its encryption and of its doors."""

    dedicated_cluster: str | None
    """The cluster that holds its data, which can have a key of the owner's."""
    public_query: bool
    """Queries may come from any network, by those who are allowed."""
    public_ingestion: bool
    workspace_keys: bool
    """Who has a workspace key may write records, whatever his roles."""


def workspace_settings_of(resource: Resource) -> WorkspaceSettings:
    """Read one workspace. Raises WrongAnswer."""
    fields = resource.fields
    features = part(fields, "features") or {}
    return WorkspaceSettings(
        dedicated_cluster=text(features, "clusterResourceId"),
        public_query=_open(text(fields, "publicNetworkAccessForQuery")),
        public_ingestion=_open(text(fields, "publicNetworkAccessForIngestion")),
        workspace_keys=flag(features, "disableLocalAuth") is not True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterKey:
    """What a dedicated cluster of Log Analytics says of the key that it encrypts with."""

    name: str | None
    """The owner's key and its key vault; None: a key of Azure's."""
    state: str
    """In which state the cluster is; while it is changed the key may not be in use yet."""


def cluster_key_of(resource: Resource) -> ClusterKey:
    """Read one dedicated cluster. Raises WrongAnswer."""
    properties = part(resource.fields, "keyVaultProperties") or {}
    vault, name = text(properties, "keyVaultUri"), text(properties, "keyName")
    state = text(resource.fields, "provisioningState")
    if state is None:
        raise WrongAnswer("a dedicated cluster without a provisioningState")
    return ClusterKey(name=f"{vault} {name}" if vault and name else None, state=state)


def _open(said: str | None) -> bool:
    """Enabled, and where nothing is said: that is the default."""
    return (said or "Enabled").lower() == "enabled"
