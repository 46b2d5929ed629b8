"""kube-apiserver: what it was started with, where its files lie, what it records with that."""

from kcompliance.model.apiserver.arguments import Arguments, Flag, parse_argv
from kcompliance.model.apiserver.command_line import find_arguments, parse_command_line
from kcompliance.model.apiserver.objects import ApiServersFound, api_servers_in
from kcompliance.model.apiserver.server import (
    ApiServer,
    Durable,
    Ephemeral,
    FromObject,
    HostPath,
    Mount,
    Source,
    UnknownSource,
)
from kcompliance.model.apiserver.settings import (
    AuditSettings,
    BatchSettings,
    TruncateSettings,
    audit_settings,
    audit_settings_from_flagz,
    parse_flagz,
)

__all__ = [
    "ApiServer",
    "ApiServersFound",
    "Arguments",
    "AuditSettings",
    "BatchSettings",
    "Durable",
    "Ephemeral",
    "Flag",
    "FromObject",
    "HostPath",
    "Mount",
    "Source",
    "TruncateSettings",
    "UnknownSource",
    "api_servers_in",
    "audit_settings",
    "audit_settings_from_flagz",
    "find_arguments",
    "parse_argv",
    "parse_command_line",
    "parse_flagz",
]
