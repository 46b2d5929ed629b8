"""What an S3 bucket says that it does."""

from typing import Any, Final

from kcompliance.stores.interface import DefaultRetention, LockMode, StoreError, Unknown
from kcompliance.stores.s3_faults import code_of, faults

__all__ = ["MODES", "NO_LOCK", "encryption_of", "locks_of", "versions_of"]

MODES: Final = {mode.name: mode for mode in LockMode}
NO_LOCK: Final = {
    "NoSuchObjectLockConfiguration",
    "ObjectLockConfigurationNotFoundError",
    "InvalidRequest",  # about the lock of an object in a bucket without Object Lock
}


def locks_of(client: Any, bucket: str) -> tuple[bool | Unknown, DefaultRetention | Unknown | None]:
    """Whether objects can be locked, and how they are where nothing is asked for."""
    permission = "s3:GetBucketObjectLockConfiguration"
    try:
        with faults(f"the Object Lock of s3://{bucket}", permission):
            answer = client.get_object_lock_configuration(Bucket=bucket)
    except StoreError as error:
        if code_of(error.__cause__) in NO_LOCK:
            return False, None
        unknown = _unknown(error, permission)
        return unknown, unknown
    configuration = answer["ObjectLockConfiguration"]
    default = configuration.get("Rule", {}).get("DefaultRetention", {})
    if "Mode" not in default:
        return configuration.get("ObjectLockEnabled") == "Enabled", None
    kept = DefaultRetention(
        mode=MODES[default["Mode"]], days=default.get("Days"), years=default.get("Years")
    )
    return True, kept


def versions_of(client: Any, bucket: str) -> bool | Unknown:
    """Whether the bucket keeps what is overwritten or deleted."""
    permission = "s3:GetBucketVersioning"
    try:
        with faults(f"the versioning of s3://{bucket}", permission):
            answer = client.get_bucket_versioning(Bucket=bucket)
    except StoreError as error:
        return _unknown(error, permission)
    return bool(answer.get("Status") == "Enabled")


def encryption_of(client: Any, bucket: str) -> str | Unknown | None:
    """How the bucket encrypts what asks for nothing."""
    permission = "s3:GetEncryptionConfiguration"
    try:
        with faults(f"the encryption of s3://{bucket}", permission):
            answer = client.get_bucket_encryption(Bucket=bucket)
    except StoreError as error:
        if code_of(error.__cause__) == "ServerSideEncryptionConfigurationNotFoundError":
            return None
        return _unknown(error, permission)
    for rule in answer["ServerSideEncryptionConfiguration"]["Rules"]:
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        words = (default.get("SSEAlgorithm"), default.get("KMSMasterKeyID"))
        return " ".join(word for word in words if word) or None
    return None


def _unknown(error: StoreError, permission: str) -> Unknown:
    return Unknown(reason=error.message, permission=permission)
