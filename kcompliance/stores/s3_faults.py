"""What an S3 server and its SDK say when something fails, told in the words of a store.

Of what the server says only the code is repeated, and the permission that it names: the rest is
the server's own and may hold anything.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ResponseStreamingError,
)

from kcompliance.stores.interface import (
    Damaged,
    NoSpace,
    NotThere,
    Refused,
    StoreError,
    Unreachable,
    Unsupported,
)

__all__ = ["code_of", "faults"]

_NOT_THERE: Final = {"NoSuchKey", "NoSuchVersion", "404", "MethodNotAllowed"}
_DAMAGED: Final = {"BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch"}
_FULL: Final = {"QuotaExceeded", "XMinioStorageFull", "XMinioAdminBucketQuotaExceeded", "507"}
_NOT_KNOWN: Final = {"NotImplemented", "EntityTooLarge"}
_ELSEWHERE: Final = {
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "301",
}
_BAD_CREDENTIALS: Final = {
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}
_NO_CREDENTIALS: Final = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
)
_NO_ANSWER: Final = (ConnectionError, HTTPClientError, ResponseStreamingError)


@contextmanager
def faults(what: str, permission: str | None) -> Iterator[None]:
    """Tells what goes wrong with `what`, for which this permission is needed."""
    try:
        yield
    except ClientError as error:
        raise _answered(error, what, permission) from error
    except _NO_CREDENTIALS as error:
        raise Refused(
            f"no credentials for {what}: {type(error).__name__}",
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this "
            "machine a role",
            permission=None,
        ) from error
    except _NO_ANSWER as error:
        raise Unreachable(
            f"no answer about {what}: {type(error).__name__}",
            "look at the network, the region and the endpoint's URL",
        ) from error
    except BotoCoreError as error:
        reason = " ".join(str(error).split())
        raise StoreError(f"cannot ask about {what}: {reason}") from error


def code_of(error: BaseException | None) -> str:
    """The server's code, such as `PreconditionFailed`, or a text that is none."""
    return str(error.response["Error"].get("Code", "")) if isinstance(error, ClientError) else ""


def _answered(error: ClientError, what: str, permission: str | None) -> StoreError:
    code = code_of(error)
    status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
    said = code if code == str(status) else f"{status} {code}"
    if code == "NoSuchBucket":
        return NotThere(f"there is no bucket for {what}", "create the bucket, or mend its name")
    message = str(error.response["Error"].get("Message", ""))
    if code in _NOT_THERE or (code == "InvalidArgument" and "version id" in message.lower()):
        return NotThere(f"there is no {what}")
    if code in _DAMAGED:
        return Damaged(f"{what} did not arrive as it was sent, and was not stored: {said}")
    if code in _FULL:
        return NoSpace(f"no space for {what}: {said}")
    if code in _ELSEWHERE:
        return Refused(
            f"{what} is in another region: {said}",
            "set AWS_REGION to the region of the bucket",
            permission=None,
        )
    if code.startswith("KMS."):
        return Refused(
            f"the key that encrypts {what} cannot be used: {said}",
            "allow kms:GenerateDataKey and kms:Decrypt on that key, and see that it is enabled",
            permission="kms:GenerateDataKey",
        )
    if code in _BAD_CREDENTIALS:
        return Refused(
            f"the credentials for {what} are not accepted: {said}",
            "renew them, and look at AWS_PROFILE and AWS_ACCESS_KEY_ID",
            permission=None,
        )
    if code == "RequestTimeTooSkewed":
        return Refused(f"{what}: {said}", "set this machine's clock", permission=None)
    if status in {401, 403}:
        return _forbidden(error, what, said, permission)
    if code in _NOT_KNOWN:
        return Unsupported(f"the server cannot do this with {what}: {said}")
    if status >= 500 or status in {408, 429} or code in {"IncompleteBody", "RequestTimeout"}:
        return Unreachable(f"no usable answer about {what}: {said}", "try again later")
    return StoreError(f"the server does not accept a request about {what}: {said}")


def _forbidden(error: ClientError, what: str, said: str, permission: str | None) -> Refused:
    # AWS names the very permission, which can be one that was not asked for, such as kms:Decrypt.
    message = str(error.response["Error"].get("Message", ""))
    named = re.search(r"perform: ([a-z0-9-]+:[A-Za-z]+)", message)
    missing = named[1] if named else permission
    hint = f"allow {missing}" if missing else "look at the policies of the bucket and of the user"
    if missing in {"s3:GetObject", "s3:GetObjectVersion"}:
        hint += ", and s3:ListBucket, without which what is not there is forbidden, too"
    return Refused(f"not allowed: {what}: {said}", hint, permission=missing)
