"""Which of Azure's clouds is asked, and where its doors are: all of it from the environment."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from kcompliance.errors import UsageError

__all__ = ["Cloud", "cloud_of"]

CLOUD: Final = "AZURE_CLOUD"
RESOURCE_MANAGER: Final = "KCOMPLIANCE_AZURE_RESOURCE_MANAGER"
LOG_ANALYTICS: Final = "KCOMPLIANCE_AZURE_LOG_ANALYTICS"
BLOB_STORAGE: Final = "KCOMPLIANCE_AZURE_BLOB_STORAGE"
AUDIENCE: Final = "KCOMPLIANCE_AZURE_AUDIENCE"
AUTHORITY: Final = "AZURE_AUTHORITY_HOST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Addresses without a slash at their end."""

    resource_manager: str
    audience: str
    log_analytics: str
    log_analytics_audience: str
    authority: str
    blob_suffixes: tuple[str, ...]
    """How the hosts of Blob storage end; a token goes to no other."""
    blob_storage: str | None = None
    """Where the accounts are instead, each below its name."""
    well_known: bool = True
    """Microsoft's own authority, which can be asked whether an authority is one."""


_PUBLIC: Final = Cloud(
    resource_manager="https://management.azure.com",
    audience="https://management.azure.com",
    log_analytics="https://api.loganalytics.io",
    log_analytics_audience="https://api.loganalytics.io",
    authority="https://login.microsoftonline.com",
    blob_suffixes=("blob.core.windows.net", "blob.storage.azure.net"),
)
_GOVERNMENT: Final = Cloud(
    resource_manager="https://management.usgovcloudapi.net",
    audience="https://management.core.usgovcloudapi.net",
    log_analytics="https://api.loganalytics.us",
    log_analytics_audience="https://api.loganalytics.us",
    authority="https://login.microsoftonline.us",
    blob_suffixes=("blob.core.usgovcloudapi.net",),
)
_CHINA: Final = Cloud(
    resource_manager="https://management.chinacloudapi.cn",
    audience="https://management.chinacloudapi.cn",
    log_analytics="https://api.loganalytics.azure.cn",
    log_analytics_audience="https://api.loganalytics.azure.cn",
    authority="https://login.chinacloudapi.cn",
    blob_suffixes=("blob.core.chinacloudapi.cn",),
)
_CLOUDS: Final[Mapping[str, Cloud]] = {
    "azurecloud": _PUBLIC,
    "azurepubliccloud": _PUBLIC,
    "azureusgovernment": _GOVERNMENT,
    "azurechinacloud": _CHINA,
}
_AUTHORITIES: Final = {cloud.authority: cloud for cloud in (_PUBLIC, _GOVERNMENT, _CHINA)}


def cloud_of(environment: Mapping[str, str] | None = None) -> Cloud:
    """The cloud that the environment names, else that of its authority, else the public one.

    Raises UsageError for a cloud that is not known and for an address that is none.
    """
    environment = os.environ if environment is None else environment
    authority = _authority(environment)
    name = environment.get(CLOUD, "").strip()
    cloud = _CLOUDS.get(name.lower()) if name else _AUTHORITIES.get(authority or "", _PUBLIC)
    if cloud is None:
        raise UsageError(
            f'no cloud of Azure: {CLOUD} is "{name}"',
            "AzureCloud, AzureUSGovernment or AzureChinaCloud",
        )
    manager = _address(environment, RESOURCE_MANAGER)
    analytics = _address(environment, LOG_ANALYTICS)
    return Cloud(
        resource_manager=manager or cloud.resource_manager,
        audience=_address(environment, AUDIENCE) or cloud.audience,
        log_analytics=analytics or cloud.log_analytics,
        log_analytics_audience=cloud.log_analytics_audience,
        authority=authority or cloud.authority,
        blob_suffixes=cloud.blob_suffixes,
        blob_storage=_address(environment, BLOB_STORAGE),
        well_known=authority is None or authority in _AUTHORITIES,
    )


def _authority(environment: Mapping[str, str]) -> str | None:
    """As azure-identity reads it: the scheme may be left out."""
    written = environment.get(AUTHORITY, "").strip().rstrip("/")
    if written and "://" not in written:
        written = f"https://{written}"
    return _checked(AUTHORITY, written)


def _address(environment: Mapping[str, str], variable: str) -> str | None:
    return _checked(variable, environment.get(variable, "").strip().rstrip("/"))


def _checked(variable: str, written: str) -> str | None:
    """A token goes there, so it has to be https, and nothing but an address."""
    if not written:
        return None
    if not re.fullmatch(r"https://[A-Za-z0-9.-]+(:\d+)?(/[\w./-]*)?", written):
        raise UsageError(f"{variable} is no https address")
    return written
