"""The attributes of a request that an audit policy is asked about.

Source: k8s.io/apiserver `pkg/endpoints/request/requestinfo.go` and
`pkg/endpoints/filters/audit.go`.
"""

from dataclasses import dataclass
from urllib.parse import unquote

__all__ = ["NonResource", "ObjectAttributes", "Request", "User", "resolve_path"]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """The authenticated user, before impersonation."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectAttributes:
    """A request for API objects; `group` "" is core, `name` "" a collection."""

    resource: str
    group: str = ""
    namespace: str = ""
    subresource: str = ""
    name: str = ""

    def __str__(self) -> str:
        kind = f"{self.resource}.{self.group}" if self.group else self.resource
        kind = f"{kind}/{self.subresource}" if self.subresource else kind
        kind = f"{kind} {self.name}" if self.name else kind
        return f"{kind} in {self.namespace}" if self.namespace else kind


@dataclass(frozen=True, slots=True, kw_only=True)
class NonResource:
    """A request for a path, without its query."""

    path: str

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; `user` None is a login that failed."""

    user: User | None
    verb: str
    target: ObjectAttributes | NonResource

    def __str__(self) -> str:
        """The request without its user, such as `create secrets in app` or `get /healthz`."""
        return f"{self.verb} {self.target}"

    @property
    def long_running(self) -> bool:
        """Whether the server emits ResponseStarted for it (`BasicLongRunningRequestCheck`)."""
        if self.verb in _LONG_RUNNING_VERBS:
            return True
        match self.target:
            case ObjectAttributes(subresource=subresource):
                return subresource in _LONG_RUNNING_SUBRESOURCES
            case NonResource(path=path):
                return path.startswith("/debug/pprof/")


_LONG_RUNNING_VERBS = frozenset({"watch", "proxy"})
_LONG_RUNNING_SUBRESOURCES = frozenset({"attach", "exec", "proxy", "log", "portforward"})
_PATH_VERBS = frozenset({"proxy", "watch"})
_NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})


def resolve_path(path: str) -> ObjectAttributes | NonResource:
    """What the server takes a request path for: `/api/v1/namespaces/a/pods/b/log` and the like.

    Names that a list or watch takes from its field selector are not looked for.
    """
    plain = unquote(path.split("?", 1)[0])
    parts = plain.strip("/").split("/")
    if parts[0] == "api" and len(parts) >= 3:
        group, rest = "", parts[2:]
    elif parts[0] == "apis" and len(parts) >= 4:
        group, rest = parts[1], parts[3:]
    else:
        return NonResource(path=plain)
    verb = rest[0] if rest[0] in _PATH_VERBS and len(rest) > 1 else ""
    if verb:
        rest = rest[1:]
    in_namespace = rest[0] == "namespaces" and len(rest) > 1
    namespace = rest[1] if in_namespace else ""
    if in_namespace and len(rest) > 2 and rest[2] not in _NAMESPACE_SUBRESOURCES:
        rest = rest[2:]
    return ObjectAttributes(
        group=group,
        namespace=namespace,
        resource=rest[0],
        name=rest[1] if len(rest) > 1 else "",
        subresource=rest[2] if len(rest) > 2 and verb != "proxy" else "",
    )
