"""A failure as JSON, `kcompliance/error/v1`: the one document on standard output instead."""

import json

import msgspec

from kcompliance.errors import ExitCode, KcomplianceError

__all__ = ["ERROR_SCHEMA", "ErrorReport", "render_error"]

ERROR_SCHEMA = "kcompliance/error/v1"


class ErrorV1(msgspec.Struct, kw_only=True):
    """What happened, and what to do about it where there is something; `code` is stable."""

    code: str
    message: str
    hint: str | None


class ErrorReport(msgspec.Struct, kw_only=True):
    """The whole document."""

    schema: str
    error: ErrorV1
    exit_code: int


def render_error(error: KcomplianceError, exit_code: ExitCode) -> str:
    """One JSON document, ending with a line feed."""
    document = ErrorReport(
        schema=ERROR_SCHEMA,
        error=ErrorV1(code=error.code, message=error.message, hint=error.hint),
        exit_code=int(exit_code),
    )
    return json.dumps(msgspec.to_builtins(document), indent=2, ensure_ascii=False) + "\n"
