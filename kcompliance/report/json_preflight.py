"""A preflight as JSON, `kcompliance/preflight/v1`, with types of its own."""

import json
from collections.abc import Sequence
from typing import Literal

import msgspec

from kcompliance.collect.preflight import Asked, May, NeededFile, Preflight
from kcompliance.errors import ExitCode

__all__ = ["PREFLIGHT_SCHEMA", "PreflightReport", "render_preflight"]

PREFLIGHT_SCHEMA = "kcompliance/preflight/v1"


class PermissionV1(msgspec.Struct, kw_only=True):
    """One permission of Kubernetes, the controls that need it, and whether the caller has it.

    `reason` tells why that is not known, or why it is not needed here. `verb` and the next four
    are as a SelfSubjectAccessReview takes them; `path` is that of a non-resource URL, else "".
    """

    permission: str
    verb: str
    group: str
    resource: str
    namespace: str
    path: str
    controls: list[str]
    allowed: Literal["yes", "no", "unknown", "not-needed"]
    reason: str


class FileV1(msgspec.Struct, kw_only=True):
    """Something that no API of this target tells, and the controls that need it."""

    what: str
    controls: list[str]


class TargetV1(msgspec.Struct, kw_only=True):
    """One target; `problem` is why nothing could be asked of it, and `server` null for files.

    `not_covered` are controls that ask clouds or stores alone, of which nothing is told here.
    """

    target: str
    server: str | None
    problem: str | None
    hint: str | None
    permissions: list[PermissionV1]
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


def _permission(asked: Asked) -> PermissionV1:
    permission = asked.permission
    return PermissionV1(
        permission=str(permission),
        verb=permission.verb,
        group=permission.group,
        resource=permission.resource,
        namespace=permission.namespace,
        path=permission.path,
        controls=list(asked.controls),
        allowed=asked.may.value,
        reason=asked.reason,
    )


def _file(needed: NeededFile) -> FileV1:
    return FileV1(what=needed.what, controls=list(needed.controls))
