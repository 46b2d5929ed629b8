"""Every failure that a user can meet, and the exit codes.

* KcomplianceError            says what happened, to what, and what to do about it
  + UsageError                the call was wrong: the caller corrects it (2)
  + ConfigError               kcompliance.yaml or an environment variable is wrong (2)
  + NothingToScan             no target could be looked at or none held anything known (4)
  + BundleError               a bundle is damaged or not one (4)
  + OutputError               a result could not be written (4)
  + ControlsError             the package's own data is broken: a bug of ours (4)
  + SourceError               what holds events could not or would not give what was asked (4)
    + SourceRefused           it says no, and which permission is lacking

Messages: lower case, no full stop, the object named, what the user wrote in quotes.
"""

from enum import IntEnum

__all__ = [
    "BundleError",
    "ConfigError",
    "ControlsError",
    "ExitCode",
    "KcomplianceError",
    "NothingToScan",
    "OutputError",
    "SourceError",
    "SourceRefused",
    "UsageError",
]


class ExitCode(IntEnum):
    """The whole table; where several apply to a scan, 1 beats 3 beats 0."""

    GOOD = 0
    FINDINGS = 1
    USAGE = 2
    INCOMPLETE = 3
    COULD_NOT_RUN = 4
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """What it tells a caller, in one sentence."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.GOOD: "everything that was asked was checked, and it is good",
    ExitCode.FINDINGS: "findings at or above the threshold; tampering or corruption found",
    ExitCode.USAGE: "usage error: the call or the configuration is wrong",
    ExitCode.INCOMPLETE: (
        "incomplete: something could not be read or needs a human answer; "
        "no wrong-doing shown, and no clean bill either"
    ),
    ExitCode.COULD_NOT_RUN: (
        "could not run: nothing at all could be evaluated, or kcompliance itself broke"
    ),
    ExitCode.INTERRUPTED: "interrupted",
}


class KcomplianceError(Exception):
    """An expected failure; `hint` is what to do, as a command where possible."""

    exit_code = ExitCode.COULD_NOT_RUN

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @property
    def code(self) -> str:
        """A stable name for machines, such as `nothing-to-scan`."""
        return _CODES[type(self)]


class UsageError(KcomplianceError):
    """The call was wrong."""

    exit_code = ExitCode.USAGE


class ConfigError(KcomplianceError):
    """The configuration is wrong."""

    exit_code = ExitCode.USAGE


class NothingToScan(KcomplianceError):
    """Nothing at all could be evaluated."""


class BundleError(KcomplianceError):
    """A bundle cannot be trusted to be what it says."""


class OutputError(KcomplianceError):
    """A result could not be written."""


class ControlsError(KcomplianceError):
    """The controls that the package ships do not hold together."""


class SourceError(KcomplianceError):
    """A source could not or would not give what was asked of it. The subclasses say which.

    * SourceRefused     401, 403: `permission` is what would be needed
    * and those of kcompliance.archive.interface
    """

    _name = "source"

    @property
    def code(self) -> str:
        """A stable name for machines."""
        return self._name


class SourceRefused(SourceError):
    """The source says no."""

    _name = "source-refused"

    def __init__(self, message: str, hint: str | None = None, *, permission: str | None) -> None:
        super().__init__(message, hint)
        self.permission = permission


_CODES: dict[type[KcomplianceError], str] = {
    KcomplianceError: "error",
    UsageError: "usage",
    ConfigError: "config",
    NothingToScan: "nothing-to-scan",
    BundleError: "bundle",
    OutputError: "output",
    ControlsError: "controls",
}
