"""A preflight as JSON, `kcompliance/preflight/v1`, with types of its own."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import msgspec

from kcompliance.collect.cloud_reads import ReadPermission, Source
from kcompliance.collect.preflight import Asked, May, NeededFile, Preflight
from kcompliance.errors import ExitCode

__all__ = ["PREFLIGHT_SCHEMA", "PreflightReport", "render_preflight"]

PREFLIGHT_SCHEMA = "kcompliance/preflight/v1"


class _PermissionV1(msgspec.Struct, kw_only=True, tag_field="kind"):
    """One permission, the controls that need it, and whether the caller has it.

    `reason` tells why that is not known, or why it is not needed here.
    """

    permission: str
    controls: list[str]
    allowed: Literal["yes", "no", "unknown", "not-needed"]
    reason: str


class KubernetesPermissionV1(_PermissionV1, kw_only=True, tag="kubernetes"):
    """A permission as a SelfSubjectAccessReview takes it.

    `path` is that of a non-resource URL, else "".
    """

    verb: str
    group: str
    resource: str
    namespace: str
    path: str


class _ReadPermissionV1(_PermissionV1, kw_only=True):
    """An action at its place.

    `place` is null where nobody knows it, as what names the place could not be read.
    """

    action: str
    place: str | None


class AzurePermissionV1(_ReadPermissionV1, kw_only=True, tag="azure"):
    """An action of Azure, and the resource, group or subscription where it is needed.

    `place` is null where nobody knows it, as what names the place could not be read.
    """


class AwsPermissionV1(_ReadPermissionV1, kw_only=True, tag="aws"):
    """An action of IAM; `place` is a bucket, or "*" where the action knows no resource.

    It is null where nobody knows it, as what names the place could not be read.
    """


class SearchPermissionV1(_ReadPermissionV1, kw_only=True, tag="elasticsearch"):
    """A privilege of Elasticsearch, or an action of OpenSearch; `place` is a server or indices.

    It is null where nobody knows it, as what names the place could not be read.
    """


class ArchivePermissionV1(_ReadPermissionV1, kw_only=True, tag="archive"):
    """The right to read an archive; `action` is `read`, or what its store says is missing."""


ReadPermissionV1 = AzurePermissionV1 | AwsPermissionV1 | SearchPermissionV1 | ArchivePermissionV1


class FileV1(msgspec.Struct, kw_only=True):
    """Something that no API of this target tells, and the controls that need it."""

    what: str
    controls: list[str]


class TargetV1(msgspec.Struct, kw_only=True):
    """One place; `problem` is why nothing could be asked of it, `server` its address if it has one.

    `not_covered` are controls that need nothing of this target, nor of what belongs to it.
    """

    target: str
    server: str | None
    problem: str | None
    hint: str | None
    permissions: list[KubernetesPermissionV1 | ReadPermissionV1]
    files: list[FileV1]
    not_covered: list[str]


class PreflightSummaryV1(msgspec.Struct, kw_only=True):
    """How many permissions were asked about; `missing` counts those that are not known too."""

    asked: int
    granted: int
    missing: int
    unreachable: int


class PreflightReport(msgspec.Struct, kw_only=True):
    """The whole document."""

    schema: str
    targets: list[TargetV1]
    summary: PreflightSummaryV1
    exit_code: int


def render_preflight(targets: Sequence[Preflight], exit_code: ExitCode) -> str:
    """One JSON document, ending with a line feed."""
    asked = [each for target in targets for each in target.asked]
    document = PreflightReport(
        schema=PREFLIGHT_SCHEMA,
        targets=[_target(each) for each in targets],
        summary=PreflightSummaryV1(
            asked=len(asked),
            granted=sum(each.may is May.YES for each in asked),
            missing=sum(len(target.missing) for target in targets),
            unreachable=sum(target.problem is not None for target in targets),
        ),
        exit_code=int(exit_code),
    )
    return json.dumps(msgspec.to_builtins(document), indent=2, ensure_ascii=False) + "\n"


def _target(found: Preflight) -> TargetV1:
    return TargetV1(
        target=found.target,
        server=found.server,
        problem=found.problem,
        hint=found.hint,
        permissions=[_permission(each) for each in found.asked],
        files=[_file(each) for each in found.files],
        not_covered=list(found.not_covered),
    )


_READS: Final[Mapping[Source, type[ReadPermissionV1]]] = {
    Source.AZURE: AzurePermissionV1,
    Source.AWS: AwsPermissionV1,
    Source.ELASTICSEARCH: SearchPermissionV1,
    Source.ARCHIVE: ArchivePermissionV1,
}


def _permission(asked: Asked) -> KubernetesPermissionV1 | ReadPermissionV1:
    permission = asked.permission
    if isinstance(permission, ReadPermission):
        return _READS[permission.source](
            permission=str(permission),
            controls=list(asked.controls),
            allowed=asked.may.value,
            reason=asked.reason,
            action=permission.action,
            place=permission.place,
        )
    return KubernetesPermissionV1(
        permission=str(permission),
        controls=list(asked.controls),
        allowed=asked.may.value,
        reason=asked.reason,
        verb=permission.verb,
        group=permission.group,
        resource=permission.resource,
        namespace=permission.namespace,
        path=permission.path,
    )


def _file(needed: NeededFile) -> FileV1:
    return FileV1(what=needed.what, controls=list(needed.controls))
