"""What Azure Blob Storage and its SDK say when something fails, told in the words of a store.

The SDK's own errors repeat the URL of the request, in which a shared access signature stands, and
what was signed. So only codes are taken from them, and they are no cause of what is raised.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceResponseError,
)

from kcompliance.stores.interface import (
    Damaged,
    Locked,
    NotThere,
    Refused,
    StoreError,
    Unreachable,
    Unsupported,
)

__all__ = ["code_of", "faults"]

_DAMAGED: Final = {"Md5Mismatch", "Crc64Mismatch"}
_LOCKED: Final = {"BlobImmutableDueToPolicy", "BlobImmutableDueToLegalHold"}
_NO_ANSWER: Final = (ServiceRequestError, ServiceResponseError, IncompleteReadError)


@contextmanager
def faults(what: str, permission: str) -> Iterator[None]:
    """Tells what goes wrong with `what`, for which this action has to be allowed."""
    try:
        yield
    except _NO_ANSWER as error:
        raise Unreachable(
            f"no answer about {what}: {type(error).__name__}",
            "look at the network and the name of the account",
        ) from None
    except HttpResponseError as error:
        raise _answered(error, what, permission) from None
    except AzureError as error:
        raise StoreError(f"cannot ask about {what}: {type(error).__name__}") from None


def code_of(error: StoreError) -> str:
    """The service's code behind an error of `faults`, such as `BlobAlreadyExists`."""
    told = error.__context__
    return _code(told) if isinstance(told, HttpResponseError) else ""


def _code(error: HttpResponseError) -> str:
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _answered(error: HttpResponseError, what: str, permission: str) -> StoreError:
    code = _code(error)
    status = error.status_code
    said = f"{status} {code}".strip()
    if status is None or (status == 401 and isinstance(error, ClientAuthenticationError)):
        return Refused(
            f"no credentials that are accepted for {what}",
            "az login, or give this machine an identity, or set AZURE_STORAGE_SAS_TOKEN",
            permission=None,
        )
    if code == "ContainerNotFound":
        return NotThere(f"there is no container for {what}", "create it, or mend its name")
    if code in _DAMAGED:
        return Damaged(f"{what} did not arrive as it was sent, and was not stored: {said}")
    if code in _LOCKED:
        return Locked(f"{what} is locked: {said}")
    if code in {"AuthenticationFailed", "AuthorizationFailure"} or status == 401:
        return Refused(
            f"the credentials for {what} are not accepted: {said}",
            "renew them; look at the account's firewall and at this machine's clock",
            permission=None,
        )
    if status == 403:
        return Refused(f"not allowed: {what}: {said}", f"allow {permission}", permission=permission)
    if status == 404:
        return NotThere(f"there is no {what}")
    if status == 501:
        return Unsupported(f"the server cannot do this with {what}: {said}")
    if status >= 500 or status in {408, 429}:
        return Unreachable(f"no usable answer about {what}: {said}", "try again later")
    return StoreError(f"the server does not accept a request about {what}: {said}")
