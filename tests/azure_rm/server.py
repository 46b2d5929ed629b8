"""Azure on loopback: Resource Manager, Log Analytics, Blob storage and who hands out tokens.

It serves the shapes of the published REST specifications and refuses as Azure does: no token, an
unknown path, a lacking api-version. The SDKs reach it by their own settings; nothing is patched.
"""

import base64
import json
import re
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from kcompliance.model.reading import Kind
from tests.azure_rm import blob_documents, documents
from tests.azure_rm.documents import Json, error
from tests.servers.canned_api import Answer, whole
from tests.servers.pki import Pki, make_pki

__all__ = ["Asked", "AzureOnLoopback"]

TENANT = "33333333-3333-4333-8333-333333333333"
CLIENT = "44444444-4444-4444-8444-444444444444"
CLIENT_SECRET = "the-client-secret"
_TOKEN = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (
        b'{"alg":"RS256","typ":"JWT"}',
        b'{"aud":"https://storage.azure.com","iss":"https://sts.windows.net/33333333/",'
        b'"nbf":1700000000,"iat":1700000000,"exp":4102444800}',
        b"a signature",
    )
)
"""As far as the emulator of Blob storage looks at one."""
_NONE_THERE = {
    "managementpolicies": error(
        "ManagementPolicyNotFound", "No ManagementPolicy found for account"
    ),
    "containers": error("ContainerNotFound", "The specified container does not exist."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request; the path in lower case, without the query."""

    method: str
    path: str
    query: Mapping[str, list[str]]
    body: str


@dataclass(slots=True)
class _State:
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    queries: dict[str, Answer] = field(default_factory=dict)
    refuse_client: bool = False
    otherwise: Callable[[str], Answer | None] = field(default=lambda path: None)


class AzureOnLoopback:
    """Serves TLS; a context manager. What is not put there does not exist."""

    def __init__(self, folder: Path) -> None:
        self._state = _State()
        self._pki = make_pki(folder / "pki")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._pki.serving_certificate, self._pki.serving_key)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}
        )

    # --- what it has -----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where all of its doors are."""
        return f"https://127.0.0.1:{self._server.server_port}"

    @property
    def pki(self) -> Pki:
        """Its certificate, and whose the clients trust."""
        return self._pki

    @property
    def asked(self) -> list[Asked]:
        """Every request so far, those for tokens too."""
        return self._state.asked

    def asked_for(self, part: str) -> list[Asked]:
        """The requests whose path has this in it."""
        return [each for each in self.asked if part.lower() in each.path]

    def put(self, *resources: Json) -> None:
        """Resources, each at its id."""
        for resource in resources:
            self.answer(resource["id"], whole(resource))

    def put_list(self, path: str, items: Iterable[Json], page: int = 100) -> None:
        """A list, cut into pages that lead to one another."""
        cut = documents.pages(list(items), page, f"{self.url}{path}?api-version=x&$skiptoken=")
        self.answer(path, _paged(cut))

    def answer(self, path: str, answer: Answer) -> None:
        """Any answer at a path."""
        self._state.answers[path.lower().rstrip("/")] = answer

    def refuse(self, path: str, status: int, code: str, message: str = "as Azure says it") -> None:
        """An error of Azure at a path."""
        self.answer(path, whole(error(code, message), status))

    def remove(self, path: str) -> None:
        """It does not exist any more."""
        self._state.answers.pop(path.lower().rstrip("/"), None)

    def forget(self) -> None:
        """Nothing is there any more, and nothing was asked."""
        self._state.answers.clear()
        self._state.queries.clear()
        self._state.asked.clear()

    def otherwise(self, answer: Callable[[str], Answer | None]) -> None:
        """What is said of paths in lower case that nothing was put at; None: it is not there."""
        self._state.otherwise = answer

    def refuse_client(self) -> None:
        """The secret of the client is not taken any more."""
        self._state.refuse_client = True

    def environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What a user sets so that the SDKs come here."""
        for name in ("AZURE_CLOUD", "AZURE_USERNAME", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"):
            monkeypatch.delenv(name, raising=False)
        for name, value in {
            "AZURE_AUTHORITY_HOST": self.url,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": CLIENT_SECRET,
            "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
            "KCOMPLIANCE_AZURE_RESOURCE_MANAGER": self.url,
            "KCOMPLIANCE_AZURE_LOG_ANALYTICS": self.url,
            "KCOMPLIANCE_AZURE_BLOB_STORAGE": self.url,
            "REQUESTS_CA_BUNDLE": str(self._pki.ca_certificate),
            "NO_PROXY": "127.0.0.1",
        }.items():
            monkeypatch.setenv(name, value)

    # --- a usual estate --------------------------------------------------------------------------

    def usual(self, *settings: Json, cluster: str = documents.CLUSTER) -> None:
        """A cluster that ships what these settings say, and all that they can lead to."""
        insights = f"{cluster}/providers/Microsoft.Insights"
        self.put(documents.cluster(cluster))
        self.put_list(f"{insights}/diagnosticSettings", settings)
        self.put_list(f"{insights}/diagnosticSettingsCategories", documents.categories(cluster))
        self.put(documents.workspace(), documents.account())
        self.put(documents.table("AKSAudit"), documents.table("AKSAuditAdmin"))
        self.put(documents.table("AKSControlPlane"))
        self.put({"id": documents.HUB, "name": "audit", "properties": {"status": "Active"}})
        service = f"{documents.STORAGE}/blobServices/default"
        self.put({"id": service, "name": "default", "properties": {"isVersioningEnabled": True}})
        self.put(documents.container("insights-logs-kube-audit", locked_days=730))
        for subscription in (documents.SUBSCRIPTION, documents.LOGS_SUBSCRIPTION):
            self._usual_subscription(subscription)
        for scope in (cluster, documents.WORKSPACE, documents.STORAGE):
            self.put_list(f"{scope}/providers/Microsoft.Authorization/roleAssignments", [])
            self.put_list(f"{scope}/providers/Microsoft.Authorization/locks", [])
        for group in ("apps", "logs"):
            owner = documents.SUBSCRIPTION if group == "apps" else documents.LOGS_SUBSCRIPTION
            scope = f"/subscriptions/{owner}/resourceGroups/{group}"
            self.put_list(f"{scope}/providers/Microsoft.Authorization/locks", [])
        self.answer_query([])

    def _usual_subscription(self, id_: str) -> None:
        self.put(documents.subscription(id_))
        scope = f"/subscriptions/{id_}/providers"
        for name in ("activityLogAlerts", "actionGroups", "scheduledQueryRules"):
            self.put_list(f"{scope}/Microsoft.Insights/{name}", [])
        self.put_list(f"{scope}/Microsoft.Insights/diagnosticSettings", [])
        self.put_list(f"{scope}/Microsoft.Authorization/locks", [])

    def answer_log(self, kind: Kind, answer: Answer) -> None:
        """What a query of Log Analytics of this kind answers, of whichever workspace."""
        self._state.queries[kind.value] = answer

    def put_blobs(self, told: Mapping[Kind, Json], account: str = "auditlogs") -> None:
        """The blobs of a cluster's audit records in a storage account."""
        listed, sampled = told[Kind.AZURE_BLOB_HOURS], told[Kind.AZURE_BLOB_SAMPLE]
        container = f"/{account}/{listed['container']}"
        self.answer(container, blob_documents.listing(listed))
        if newest := sampled["blob"]:
            lines = blob_documents.record_lines(sampled)
            content = blob_documents.tail(lines, newest["size"])
            self.answer(f"{container}/{listed['prefix']}{newest['name']}", content)

    def answer_query(self, rows: list[list[Any]]) -> None:
        """What queries of Log Analytics answer for which there is no answer of their own."""
        columns = [
            {"name": name, "type": kind}
            for name, kind in (
                ("Source", "string"),
                ("Verb", "string"),
                ("Subresource", "string"),
                ("Records", "long"),
            )
        ]
        table = {"name": "PrimaryResult", "columns": columns, "rows": rows}
        customer = documents.workspace()["properties"]["customerId"]
        self.answer(f"/v1/workspaces/{customer}/query", whole({"tables": [table]}))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _paged(cut: list[Json]) -> Answer:
    """The page whose number is in the link."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        token = parse_qs(urlsplit(handler.path).query).get("$skiptoken", ["0"])[0]
        whole(cut[int(token)])(handler)

    return answer


def _handler(azure: AzureOnLoopback) -> type[BaseHTTPRequestHandler]:
    state = azure._state

    class Handler(BaseHTTPRequestHandler):
        timeout = 10
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            path = unquote(parts.path).lower().rstrip("/")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            query = parse_qs(parts.query)
            state.asked.append(Asked(method=self.command, path=path, query=query, body=body))
            try:
                self._choose(path, query, body)(self)
            except OSError:
                self.close_connection = True  # the client has had enough

        def _choose(self, path: str, query: Mapping[str, list[str]], body: str) -> Answer:
            if path.endswith("/.well-known/openid-configuration"):
                return whole(_openid(azure.url))
            if path.endswith("/oauth2/v2.0/token"):
                return _token(body, refused=state.refuse_client)
            if self.headers.get("Authorization") != f"Bearer {_TOKEN}":
                return whole(error("AuthenticationFailed", "Authentication failed."), 401)
            if path.startswith("/subscriptions") and "api-version" not in query:
                return whole(error("MissingApiVersionParameter"), 400)
            if self.command != ("POST" if path.endswith("/query") else "GET"):
                return whole(error("MethodNotAllowed"), 405)
            asked = re.search(r"// kcompliance ([a-z-]+)", body)
            query_answer = state.queries.get(asked[1]) if asked else None
            found = query_answer or state.answers.get(path) or state.otherwise(path)
            return found or _not_found(path)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = _answer

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: standard error belongs to the tests."""

    return Handler


def _not_found(path: str) -> Answer:
    told = next((said for part, said in _NONE_THERE.items() if f"/{part}/" in path), None)
    return whole(told or error("ResourceNotFound", f"The Resource '{path}' was not found."), 404)


def _openid(url: str) -> Json:
    base = f"{url}/{TENANT}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "issuer": f"{base}/v2.0",
    }


def _token(body: str, *, refused: bool) -> Answer:
    given = parse_qs(body)
    known = given.get("client_secret") == [CLIENT_SECRET] and given.get("client_id") == [CLIENT]
    if refused or not known:
        said = "AADSTS7000222: The provided client secret keys for app 'x' are expired."
        return whole({"error": "invalid_client", "error_description": said}, 401)
    answer = {"token_type": "Bearer", "expires_in": 3599, "access_token": _TOKEN}
    return whole(json.dumps(answer).encode(), headers={"Content-Type": "application/json"})
