"""What real servers refuse, accept with a sigh, and take for granted, by their version."""

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import pytest

from kcompliance.collect.kubernetes import FLAGZ_JSON, FLAGZ_SINCE
from kcompliance.model.apiserver import (
    audit_settings,
    audit_settings_from_flagz,
    parse_argv,
    parse_flagz,
)
from kcompliance.model.audit_policy import Loaded, Refused, lint_policy, load_policy
from kcompliance.model.kubernetes_version import KubernetesVersion
from tests.servers.fixtures import StartKubeApiServer
from tests.servers.kube_apiserver import start_and_expect_refusal
from tests.servers.parts import KUBE_APISERVERS

pytestmark = pytest.mark.integration

VERSIONS = ["1.33", "1.36"]
LONG_RUN_VERSIONS = [pytest.param(each, marks=pytest.mark.long) for each in ("1.29", "1.37")]
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\n"


def version_of(text: str) -> KubernetesVersion:
    version = KubernetesVersion.parse(text)
    assert version is not None
    return version


# --- refused policies ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Case:
    """A policy that no server starts with; `words` is a pattern for both reasons."""

    policy: str
    words: str


REFUSED = {
    "no rules": Case(f"{HEAD}rules: []\n", r"\b(0|no) rules\b"),
    "rules left out": Case(HEAD, r"\b(0|no) rules\b"),
    "an empty file": Case("", r"group version|apiVersion"),
    "no apiVersion": Case("kind: Policy\nrules: [{level: None}]\n", r"group version|apiVersion"),
    "an apiVersion of the past": Case(
        "apiVersion: audit.k8s.io/v1beta1\nkind: Policy\nrules: [{level: None}]\n",
        r"['\"]audit\.k8s\.io/v1beta1['\"]",
    ),
    "a ConfigMap around it": Case(
        "apiVersion: v1\nkind: ConfigMap\ndata:\n  policy.yaml: |\n    kind: Policy\n",
        r"['\"]v1['\"]",
    ),
    "another kind": Case(
        "apiVersion: audit.k8s.io/v1\nkind: Event\nrules: [{level: None}]\n", r"Event.*Policy"
    ),
    "an unknown level": Case(
        f"{HEAD}rules: [{{level: Everything}}]\n",
        r"rules\[0\]\.level: .*['\"]Everything['\"].*Metadata.*RequestResponse",
    ),
    "no level": Case(
        f"{HEAD}rules: [{{level: None}}, {{verbs: [get]}}]\n", r"rules\[1\]\.level: [Rr]equired"
    ),
    "an unknown stage": Case(
        f"{HEAD}omitStages: [Received]\nrules: [{{level: None}}]\n",
        r"(?<!\.)omitStages\[0\]: .*['\"]Received['\"].*RequestReceived",
    ),
    "an unknown stage of a rule": Case(
        f"{HEAD}rules: [{{level: None, omitStages: [Panic, '']}}]\n",
        r"rules\[0\]\.omitStages\[1\]: .*(''|\"\").*RequestReceived",
    ),
    "a path without its slash": Case(
        f"{HEAD}rules: [{{level: None, nonResourceURLs: [healthz]}}]\n",
        r"rules\[0\]\.nonResourceURLs\[0\]: .*['\"]healthz['\"].* begin .*/",
    ),
    "a star inside of a path": Case(
        f"{HEAD}rules: [{{level: None, nonResourceURLs: [/, '/a*b']}}]\n",
        r"rules\[0\]\.nonResourceURLs\[1\]: .*['\"]/a\*b['\"].*\*.* (final|last) character",
    ),
    "paths and resources": Case(
        f"{HEAD}rules: [{{level: None, nonResourceURLs: [/a], resources: [{{group: ''}}]}}]\n",
        r"rules\[0\]\.nonResourceURLs: .*both.*resources",
    ),
    "paths and namespaces": Case(
        f"{HEAD}rules: [{{level: None, nonResourceURLs: [/a], namespaces: [a]}}]\n",
        r"rules\[0\]\.nonResourceURLs: .*both",
    ),
    "a group with its version": Case(
        f"{HEAD}rules: [{{level: None, resources: [{{group: apps/v1}}]}}]\n",
        r"rules\[0\]\.resources(\[0\])?\.group: .*['\"]apps/v1['\"].*lower ?case",
    ),
    "names without resources": Case(
        f"{HEAD}rules: [{{level: None, resources: [{{group: '', resourceNames: [a]}}]}}]\n",
        r"rules\[0\]\.resources(\[0\])?\.resourceNames: .*at least one .*resource",
    ),
    "a name that YAML reads as true": Case(
        f"{HEAD}rules: [{{level: None, resources: "
        "[{group: '', resources: [a], resourceNames: [y]}]}]\n",
        r"resourceNames.*\bbool(ean)?\b|\bbool(ean)?\b.*resourceNames",
    ),
    "a word for a list": Case(
        f"{HEAD}rules: [{{level: None, verbs: get}}]\n", r"rules(\[0\])?\.verbs"
    ),
    "wrong indentation": Case(
        f"{HEAD}rules:\n- level: None\n verbs: [get]\n", r"line \d+: did not find expected key"
    ),
    "a tab": Case(
        f"{HEAD}rules:\n-\tlevel: None\n", r"line 4: found character that cannot start any token"
    ),
}


@pytest.mark.parametrize("version", [*VERSIONS, *LONG_RUN_VERSIONS])
@pytest.mark.parametrize("name", REFUSED)
def test_what_a_server_refuses_is_refused_for_the_same_reason(
    name: str, version: str, tmp_path: Path
) -> None:
    case = REFUSED[name]

    theirs = start_and_expect_refusal(
        tmp_path / "server", version=version, audit_policy=case.policy
    )
    ours = load_policy(case.policy.encode(), version_of(version))

    assert re.search(case.words, theirs), theirs
    assert isinstance(ours, Refused)
    assert re.search(case.words, "; ".join(ours.reasons)), ours


# --- accepted, though wrong ------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A policy that servers start with; what the server logs of it, and what we say."""

    policy: str
    logged: str | None = None
    warning: str | None = None
    remark: str | None = None


ACCEPTED = {
    "an unknown field": Accepted(
        policy=f"{HEAD}rules: [{{level: Metadata, verb: [get]}}]\n",
        logged=r'unknown field \\?"rules\[0\]\.verb\\?"',
        warning="unknown field: rules[0].verb (line 3)",
        remark="L1",
    ),
    "a duplicate key": Accepted(
        policy=f"{HEAD}rules:\n- level: Metadata\n  level: None\n",
        logged=r'line 5: key \\?"level\\?" already set in map',
        warning="duplicate field, the last counts: rules[0].level (line 5)",
        remark="L1",
    ),
    "the group core": Accepted(
        policy=f"{HEAD}rules: [{{level: Metadata, resources: [{{group: core}}]}}]\n", remark="L5"
    ),
    "a verb of no request": Accepted(
        policy=f"{HEAD}rules: [{{level: Metadata, verbs: [write]}}]\n", remark="L9"
    ),
    "several documents": Accepted(
        policy=f"{HEAD}rules: [{{level: Metadata}}]\n---\n{HEAD}rules: []\n",
        warning="a second document, of which nothing is read (line 4)",
        remark="L1",
    ),
}


@pytest.mark.parametrize(
    "version", [pytest.param("1.33", marks=pytest.mark.long), "1.36", *LONG_RUN_VERSIONS]
)
@pytest.mark.parametrize("name", ACCEPTED)
def test_what_a_server_starts_with_although_it_is_wrong_is_warned_of(
    name: str, version: str, kube_apiserver: StartKubeApiServer
) -> None:
    case = ACCEPTED[name]

    server = kube_apiserver(version=version, audit_policy=case.policy)

    if case.logged is not None:
        assert re.search(case.logged, server.log.read_text())
    loaded = load_policy(case.policy.encode(), version_of(version))
    assert isinstance(loaded, Loaded)
    assert [each.message for each in loaded.warnings] == [case.warning] * (case.warning is not None)
    remarks = lint_policy(loaded, version_of(version))
    assert case.remark in {each.code for each in remarks if not each.informational}


# --- what depends on the version -------------------------------------------------------------

ANY_GROUP = f"{HEAD}rules: [{{level: Metadata, resources: [{{group: '*'}}]}}]\n"


@pytest.mark.parametrize("version", ["1.33", pytest.param("1.29", marks=pytest.mark.long)])
def test_a_group_of_star_is_refused_before_1_36(version: str, tmp_path: Path) -> None:
    theirs = start_and_expect_refusal(tmp_path / "server", version=version, audit_policy=ANY_GROUP)
    ours = load_policy(ANY_GROUP.encode(), version_of(version))

    assert re.search(r'rules\[0\]\.resources\.group: Invalid value: "\*"', theirs)
    assert isinstance(ours, Refused)
    assert ours.reasons == (
        'rules[0].resources[0].group: "*" is refused before Kubernetes 1.36, '
        f"this server is {version}",
    )


@pytest.mark.parametrize("version", ["1.36", pytest.param("1.37", marks=pytest.mark.long)])
def test_from_1_36_on_a_group_of_star_loads_and_flagz_tells_all_settings(
    version: str, kube_apiserver: StartKubeApiServer
) -> None:
    known = version_of(version)
    server = kube_apiserver(version=version, audit_policy=ANY_GROUP)

    status, answer = server.request("GET", "/flagz", headers={"Accept": FLAGZ_JSON})

    assert isinstance(load_policy(ANY_GROUP.encode(), known), Loaded)
    assert status == HTTPStatus.OK
    flags = parse_flagz(answer.encode())
    assert flags is not None
    told = audit_settings_from_flagz(flags, known)
    assert told == audit_settings(parse_argv(server.argv[1:]), known)
    assert (told.log_max_age_days, told.log_max_backups, told.log_max_size_mb) == (366, 100, 100)
    assert known >= FLAGZ_SINCE


@pytest.mark.parametrize("version", ["1.33", pytest.param("1.29", marks=pytest.mark.long)])
def test_before_1_36_there_is_no_flagz(version: str, kube_apiserver: StartKubeApiServer) -> None:
    server = kube_apiserver(version=version)

    status, answer = server.request("GET", "/flagz", headers={"Accept": FLAGZ_JSON})

    assert status == HTTPStatus.NOT_FOUND
    assert parse_flagz(answer.encode()) is None
    assert version_of(version) < FLAGZ_SINCE


@pytest.mark.parametrize("version", [*VERSIONS, *LONG_RUN_VERSIONS])
def test_the_defaults_are_those_of_the_servers_own_help(version: str) -> None:
    known = version_of(version)
    defaults = audit_flags_of_help(version)

    told = audit_settings_from_flagz({**defaults, "audit-log-path": "/a.log"}, known)
    ours = audit_settings(parse_argv(["--audit-log-path=/a.log"]), known)

    assert len(defaults) > 30
    assert told == ours
    rotation = (366, 100, 100) if known >= KubernetesVersion(1, 36) else (0, 0, 0)
    assert (ours.log_max_age_days, ours.log_max_backups, ours.log_max_size_mb) == rotation


def audit_flags_of_help(version: str) -> Mapping[str, str]:
    """The audit flags of a server and their defaults; Go's zero values are not written there."""
    zero = {"int": "0", "float32": "0", "string": "", "duration": "0s", "": "false"}
    help_text = subprocess.run(
        [KUBE_APISERVERS[version].find(), "--help"], capture_output=True, text=True, check=True
    ).stdout
    flags = {}
    for name, kind, text in re.findall(r"^ +--(audit-[a-z-]+) (\w*) {2,}(.*)$", help_text, re.M):
        default = re.search(r"\(default (.*?)\)$", text)
        flags[name] = (
            json.loads(default[1])
            if default and default[1][0] == '"'
            else (default[1] if default else zero[kind])
        )
    return flags


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--audit-log-mode=fast", r"audit[- ]log[- ]mode.*fast"),
        ("--audit-log-format=xml", r"audit[- ]log[- ]format.*xml"),
        ("--audit-log-maxage=-1", r"audit-log-maxage.*-1"),
    ],
)
def test_settings_that_a_server_refuses_are_called_invalid(
    flag: str, words: str, version: str, tmp_path: Path
) -> None:
    theirs = start_and_expect_refusal(tmp_path / "server", version=version, extra_args=[flag])
    settings = audit_settings(parse_argv(["--audit-log-path=/a.log", flag]), version_of(version))

    assert re.search(words, theirs), theirs
    assert len(settings.invalid) == 1
    assert re.search(words, settings.invalid[0])
