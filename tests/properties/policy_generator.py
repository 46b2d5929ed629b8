"""Random policies, requests and broken policies, seeded, with a taste for the nasty corners."""

import json
import random
from collections.abc import Iterator
from typing import Any

import yaml

__all__ = ["broken_policies", "policies", "request_for"]

USERS = ["alice", "system:kube-proxy", "system:anonymous", "system:admin", "*", "", "Alice"]
GROUPS = [
    "system:masters",
    "system:nodes",
    "system:authenticated",
    "system:unauthenticated",
    "*",
    "",
]
VERBS = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection", "proxy"]
VERBS += ["*", "", "post", "write", "GET"]
API_GROUPS = ["", "apps", "rbac.authorization.k8s.io", "example.com", "core", "batch"]
RESOURCES = ["pods", "secrets", "deployments", "namespaces", "nodes", "widgets", "pod"]
SUBRESOURCES = ["", "", "exec", "log", "status", "proxy", "portforward", "attach", "scale", "*"]
SPECS = [
    *RESOURCES,
    *["*", "*/*", "*/exec", "*/status", "*/", "/*", "pods/*", "pods/exec", "pods/", "/exec"],
    *["pods/log", "nodes/*", "*/log", "**", "", "pods/exec/*", "secrets/*", "*/pods", "*exec"],
]
NAMESPACES = ["", "default", "kube-system", "*", "team-a"]
NAMES = ["", "web", "controller-leader", "*", "a/b"]
PATHS = ["/", "/healthz", "/healthzfoo", "/healthz/etcd", "/api", "/apis/apps/v1", "/metrics", ""]
PATHS += ["/version", "/debug/pprof/heap", "/openapi/v2", "/a*", "*", "/logs/x*y"]
URL_SPECS = ["*", "/*", "/healthz*", "/healthz", "/metrics", "/api*", "/", "/version/"]
LEVELS = ["None", "Metadata", "Request", "RequestResponse"]
STAGES = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]


def _some(rng: random.Random, of: list[str], most: int = 3) -> list[str]:
    return [rng.choice(of) for _ in range(rng.randint(1, most))]


def _rule(rng: random.Random, *, wildcard_group: bool) -> dict[str, Any]:
    rule: dict[str, Any] = {"level": rng.choice(LEVELS)}
    for name, values, odds in (
        ("users", USERS, 0.25),
        ("userGroups", GROUPS, 0.25),
        ("verbs", VERBS, 0.35),
        ("omitStages", STAGES, 0.25),
    ):
        if rng.random() < odds:
            rule[name] = _some(rng, values) if rng.random() > 0.05 else []
    if rng.random() < 0.15:
        rule["omitManagedFields"] = rng.choice([True, False, None])
    if rng.random() < 0.2:
        rule["nonResourceURLs"] = _some(rng, URL_SPECS)
        return rule
    if rng.random() < 0.25:
        rule["namespaces"] = _some(rng, NAMESPACES, 2)
    if rng.random() < 0.7:
        rule["resources"] = [
            _group(rng, wildcard_group=wildcard_group) for _ in range(rng.randint(1, 3))
        ]
    return rule


def _group(rng: random.Random, *, wildcard_group: bool) -> dict[str, Any]:
    group: dict[str, Any] = {}
    if rng.random() < 0.8:
        group["group"] = rng.choice([*API_GROUPS, *(["*"] if wildcard_group else [])])
    if rng.random() < 0.8:
        group["resources"] = _some(rng, SPECS)
        if rng.random() < 0.25:
            group["resourceNames"] = _some(rng, NAMES, 2)
    return group


def policy(rng: random.Random, *, wildcard_group: bool = True) -> dict[str, Any]:
    """One policy that the server accepts."""
    document: dict[str, Any] = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy"}
    document["rules"] = [
        _rule(rng, wildcard_group=wildcard_group) for _ in range(rng.randint(1, 8))
    ]
    if rng.random() < 0.3:
        document["omitStages"] = _some(rng, STAGES, 2)
    if rng.random() < 0.2:
        document["omitManagedFields"] = rng.choice([True, False])
    return document


def policies(seed: int, *, wildcard_group: bool = True) -> Iterator[tuple[bytes, random.Random]]:
    """Endless policies as text (YAML block, YAML flow or JSON), each with its own generator."""
    number = 0
    while True:
        rng = random.Random(f"{seed}/{number}")
        number += 1
        document = policy(rng, wildcard_group=wildcard_group)
        match rng.randint(0, 3):
            case 0:
                text = json.dumps(document)
            case 1:
                text = "# flow style\n" + yaml.safe_dump(document, default_flow_style=True)
            case _:
                text = yaml.safe_dump(document, default_flow_style=False, sort_keys=False)
        yield text.encode(), rng


def request_for(rng: random.Random) -> dict[str, Any]:
    """One request in the words of the oracle; `user` None is a failed login."""
    request: dict[str, Any] = {
        "user": rng.choice([*USERS, None]),
        "groups": _some(rng, GROUPS) if rng.random() < 0.7 else [],
        "verb": rng.choice(VERBS),
        "resourceRequest": rng.random() < 0.8,
    }
    if request["user"] is None:
        request["groups"] = []
    if request["resourceRequest"]:
        request |= {
            "group": rng.choice(API_GROUPS),
            "version": "v1",
            "resource": rng.choice(RESOURCES),
            "subresource": rng.choice(SUBRESOURCES),
            "namespace": rng.choice(NAMESPACES),
            "name": rng.choice(NAMES),
        }
    else:
        request["path"] = rng.choice(PATHS)
    return request


# --- broken policies -----------------------------------------------------------------------

SCALARS = [
    *[
        "y",
        "n",
        "yes",
        "No",
        "on",
        "OFF",
        "true",
        "~",
        "null",
        "",
        "1",
        "0x1F",
        "017",
        "08",
        "1_000",
    ],
    *[
        "1e3",
        ".5",
        "1.",
        "-.5",
        ".inf",
        "-.INF",
        ".nan",
        "0b11",
        "0b+1",
        "-0b1",
        "0o17",
        "+1",
        "-1",
    ],
    *["2001-01-01", "2001-12-14t21:59:43.10-05:00", "12:30:45", "1e999", "99999999999999999999"],
    *[
        "!!str 1",
        "!!int 1",
        "!!int x",
        "!!bool y",
        "!!float 1",
        "!!null x",
        "!!binary YQ==",
        "!x y",
    ],
    *[
        "'y'",
        '"1"',
        "<<",
        "=",
        "!!binary '*'",
        "!!timestamp x",
        "! 1",
        "*x",
        "&x y",
        "[]",
        "{}",
        "[y]",
    ],
    *["0x", "0b2", "_1", "1__2", "-", "+", "0xFFFFFFFFFFFFFFFFFF", "18446744073709551615", "._5"],
    *[
        "Metadata",
        "metadata",
        "Request ",
        "audit.k8s.io/v1",
        "RequestReceived",
        "a: b",
        "? a",
        "- a",
    ],
    *[
        "|\n  text",
        ">\n  text",
        "'it''s'",
        '"\\x41"',
        '"\\/"',
        "a #b",
        "a#b",
        "\ttab",
        "é",
        "@",
        "`",
        "%",
    ],
]
EDITS = [
    *[
        "\n---\n",
        "\n...\n",
        "%YAML 1.2\n---\n",
        "%YAML 1.1\n---\n",
        "\t",
        ":",
        "- ",
        "[",
        "]",
        "{",
        "}",
    ],
    *[
        "\n",
        "  ",
        "#",
        "'",
        '"',
        "\x00",
        "\x07",
        "\ufeff",
        "\u2028",
        "&a ",
        "*a",
        "<<: *a\n",
        "? ",
        "!!",
    ],
    *[
        "rules: []\n",
        "kind: Event\n",
        "apiVersion: v1\n",
        "APIVERSION: audit.k8s.io/v1\n",
        "Kind: X\n",
    ],
    *[
        "metadata: {name: 1}\n",
        "metadata: {labels: {a: b}}\n",
        "metadata: []\n",
        "metadata: {x: 1}\n",
    ],
    *["metadata: {creationTimestamp: null}\n", "metadata: {creationTimestamp: x}\n"],
    *[
        "metadata: {generation: 1.5}\n",
        "metadata: {finalizers: [a, y]}\n",
        "status: {}\n",
        "1: 2\n",
    ],
    *["rules:\n- level: Metadata\n", "omitStages: RequestReceived\n", "omitManagedFields: y\n"],
    *["omitManagedFields: 'true'\n", "omitStages: [Started]\n", "? [a]\n: b\n", "~: 1\n", "y: 1\n"],
]
BAD_VALUES: list[Any] = [
    "/healthz**",
    "",
    "x",
    "*",
    "/a*b",
    "a",
    "apps/v1",
    "Apps",
    "-a",
    "a..b",
    "é",
    "a" * 254,
]
BAD_VALUES += [
    None,
    True,
    1,
    1.5,
    [],
    {},
    ["a", 1],
    [None],
    {"a": 1},
    [[]],
    "core",
    "/",
    "/é*",
    "**",
]


def broken_policies(seed: int) -> Iterator[bytes]:
    """Endless texts near a policy: some the server takes, most it refuses."""
    number = 0
    while True:
        rng = random.Random(f"broken/{seed}/{number}")
        number += 1
        document = policy(rng)
        match rng.randint(0, 4):
            case 0:
                yield _with_wrong_value(rng, document)
            case 1:
                yield _with_scalar(rng, document)
            case 2:
                yield _with_repeated_json(rng, document)
            case _:
                yield _with_edits(rng, document)


def _with_wrong_value(rng: random.Random, document: dict[str, Any]) -> bytes:
    rule = rng.choice(document["rules"])
    holder = rng.choice([document, rule, rule, rule, rng.choice(rule.get("resources") or [rule])])
    name = rng.choice([*holder, "users", "level", "group", "resourceNames", "verbs", "omitStages"])
    if rng.random() < 0.15:
        holder.pop(name, None)
    else:
        value = rng.choice(BAD_VALUES)
        holder[name] = [value] if rng.random() < 0.4 else value
    return _dump(rng, document)


def _with_scalar(rng: random.Random, document: dict[str, Any]) -> bytes:
    text = yaml.safe_dump(document, default_flow_style=False, sort_keys=False)
    lines = text.splitlines()
    index = rng.randrange(len(lines))
    head, colon, _ = lines[index].partition(": ")
    scalar = rng.choice(SCALARS)
    if colon:
        lines[index] = f"{head}: {scalar}"
    elif lines[index].lstrip().startswith("- "):
        lines[index] = lines[index][: lines[index].index("- ") + 2] + scalar
    else:
        lines[index] = f"{lines[index]} {scalar}"
    return "\n".join(lines).encode()


def _with_repeated_json(rng: random.Random, document: dict[str, Any]) -> bytes:
    other = policy(rng)
    first, second = json.dumps(document)[:-1], json.dumps({"rules": other["rules"]})[1:]
    return f"{first}, {second}".encode()


def _with_edits(rng: random.Random, document: dict[str, Any]) -> bytes:
    text = _dump(rng, document).decode()
    for _ in range(rng.randint(1, 2)):
        lines = text.splitlines(keepends=True) or [""]
        at = rng.randrange(len(lines) + 1)
        if rng.random() < 0.5:
            text = "".join([*lines[:at], rng.choice(EDITS), *lines[at:]])
        else:
            offset = rng.randrange(len(text) + 1)
            cut = offset + rng.choice([0, 0, 1, 2, 9])
            text = text[:offset] + rng.choice(EDITS).strip("\n") + text[cut:]
    return text.encode()


def _dump(rng: random.Random, document: dict[str, Any]) -> bytes:
    if rng.random() < 0.2:
        return json.dumps(document, indent=rng.choice([None, 2])).encode()
    flow = rng.choice([None, None, False, True])
    return yaml.safe_dump(document, default_flow_style=flow, sort_keys=False).encode()
