"""Expectations of an audit policy, as a file of YAML beside it, and whether it meets them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from kcompliance.model.audit_policy import Decision, Level, PolicyEvaluator, Stage
from kcompliance.model.kubernetes_version import KubernetesVersion
from kcompliance.model.request import NonResource, ObjectAttributes, Request, User
from kcompliance.model.strict_yaml import StrictYamlError, load_strict_yaml

__all__ = [
    "Checked",
    "Expectation",
    "PolicyTest",
    "PolicyTests",
    "RanTest",
    "WrongPolicyTests",
    "load_policy_tests",
    "run_test",
]


class WrongPolicyTests(Exception):
    """A file of tests that cannot be taken for one; the message names the line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What is expected of each request of a test; None is not asked."""

    level: Level | None = None
    at_least: Level | None = None
    at_most: Level | None = None
    stages: tuple[Stage, ...] | None = None
    rule: int | None = None

    def problems(self, decision: Decision) -> Iterator[str]:
        """What is not as expected, in words."""
        level = decision.level
        if self.level is not None and level is not self.level:
            yield f"level {level.value}, expected {self.level.value}"
        if self.at_least is not None and level < self.at_least:
            yield f"level {level.value}, expected at least {self.at_least.value}"
        if self.at_most is not None and level > self.at_most:
            yield f"level {level.value}, expected at most {self.at_most.value}"
        if self.stages is not None and set(decision.stages) != set(self.stages):
            yield f"stages {_listed(decision.stages)}, expected {_listed(self.stages)}"
        if self.rule is not None and decision.rule != self.rule:
            found = "no rule" if decision.rule is None else f"rule {decision.rule}"
            yield f"{found} decides, expected rule {self.rule}"


def _listed(stages: tuple[Stage, ...]) -> str:
    return ", ".join(stage.value for stage in stages) or "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTest:
    """One test; `line` counts from 1."""

    name: str
    line: int
    requests: tuple[Request, ...]
    expect: Expectation


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTests:
    """One file; `policy` is a path relative to it."""

    policy: str
    kubernetes_version: KubernetesVersion | None
    tests: tuple[PolicyTest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One request of a test, what the policy says, and what of it was not expected."""

    request: Request
    decision: Decision
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RanTest:
    """One test and how it went."""

    test: PolicyTest
    checked: tuple[Checked, ...]

    @property
    def passed(self) -> bool:
        """Whether the policy does what was expected of it."""
        return not any(each.problems for each in self.checked)


def run_test(test: PolicyTest, evaluator: PolicyEvaluator) -> RanTest:
    """Ask the policy."""
    checked = []
    for request in test.requests:
        decision = evaluator.decide(request)
        problems = tuple(test.expect.problems(decision))
        checked.append(Checked(request=request, decision=decision, problems=problems))
    return RanTest(test=test, checked=tuple(checked))


def load_policy_tests(data: bytes) -> PolicyTests:
    """A file of tests. Raises `WrongPolicyTests`."""
    try:
        document = load_strict_yaml(data)
    except StrictYamlError as error:
        raise WrongPolicyTests(str(error)) from None
    except RecursionError:
        raise WrongPolicyTests("nested too deeply") from None
    root = _Part(document, "", _lines(data))
    root.only({"policy", "kubernetes_version", "tests"})
    return PolicyTests(
        policy=root.text("policy", required=True),
        kubernetes_version=_version(root),
        tests=tuple(_test(part) for part in root.parts("tests")),
    )


# --- reading -------------------------------------------------------------------------------

_Lines = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Part:
    """A mapping somewhere in the file, and where everything stands."""

    value: Any
    path: str
    lines: _Lines

    def wrong(self, message: str, key: str | None = None) -> WrongPolicyTests:
        """With the line of a key, or of the whole."""
        path = self.path if key is None else f"{self.path}.{key}"
        return WrongPolicyTests(f"line {self.lines.get(path, self.line)}: {message}")

    @property
    def line(self) -> int:
        """On which it begins."""
        return self.lines.get(self.path, 1)

    def only(self, keys: set[str]) -> None:
        """Refuse anything else."""
        if not isinstance(self.value, dict):
            raise self.wrong(f"{self.path.lstrip('.') or 'the file'} is no mapping")
        for key in self.value:
            if key not in keys:
                raise self.wrong(f'"{key}" is none of {", ".join(sorted(keys))}', key)

    def has(self, key: str) -> bool:
        """Whether it stands there, be it null."""
        return key in self.value

    def text(self, key: str, *, required: bool = False) -> str:
        """A text, empty where there is none and none is required."""
        value = self.value.get(key, "")
        if not isinstance(value, str):
            raise self.wrong(f'"{key}" is no text: quote it', key)
        if required and not value:
            raise self.wrong(f'"{key}" is missing', key)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        value = self.value.get(key, [])
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.wrong(f'"{key}" is no list of texts', key)
        return tuple(value)

    def part(self, key: str) -> "_Part":
        """What stands under a key."""
        return _Part(self.value[key], f"{self.path}.{key}", self.lines)

    def parts(self, key: str) -> "Iterator[_Part]":
        """The items of a list that has some."""
        value = self.value.get(key)
        if not isinstance(value, list) or not value:
            raise self.wrong(f'"{key}" has to be a list with something in it', key)
        for number, each in enumerate(value):
            yield _Part(each, f"{self.path}.{key}[{number}]", self.lines)


def _lines(data: bytes) -> _Lines:
    """On which line each value stands, by a path such as `.tests[0].name`; keys, where it has."""
    found: dict[str, int] = {}

    def walk(node: yaml.Node, path: str) -> None:
        found.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                child = f"{path}.{key.value}"
                found[child] = key.start_mark.line + 1
                walk(value, child)
        elif isinstance(node, yaml.SequenceNode):
            for number, each in enumerate(node.value):
                walk(each, f"{path}[{number}]")

    root = yaml.compose(data, Loader=yaml.CSafeLoader)
    if root is not None:
        walk(root, "")
    return found


def _version(root: _Part) -> KubernetesVersion | None:
    text = root.text("kubernetes_version")
    version = KubernetesVersion.parse(text) if text else None
    if text and version is None:
        raise root.wrong(f'"{text}" is no version, such as "1.36"', "kubernetes_version")
    return version


def _test(part: _Part) -> PolicyTest:
    part.only({"name", "request", "requests", "expect"})
    name = part.text("name", required=True)
    if part.has("request") == part.has("requests"):
        raise part.wrong(f'"{name}" needs either request or requests')
    if not part.has("expect"):
        raise part.wrong(f'"{name}" expects nothing: "expect" is missing')
    asked = [part.part("request")] if part.has("request") else part.parts("requests")
    return PolicyTest(
        name=name,
        line=part.line,
        requests=tuple(_request(each) for each in asked),
        expect=_expectation(part.part("expect")),
    )


_OF_OBJECTS: Final = ("group", "namespace", "name", "subresource")


def _request(part: _Part) -> Request:
    part.only({"user", "groups", "verb", "resource", "path", *_OF_OBJECTS})
    verb = part.text("verb", required=True)
    if part.has("path") == part.has("resource"):
        raise part.wrong("a request needs either resource or path")
    return Request(user=_user(part), verb=verb, target=_target(part))


def _user(part: _Part) -> User | None:
    """Said in so many words, as a forgotten user would be a login that fails."""
    if not part.has("user"):
        raise part.wrong('"user" is missing; a login that fails is user: null')
    if part.value["user"] is None:
        if part.has("groups"):
            raise part.wrong("a login that fails has no groups", "groups")
        return None
    return User(name=part.text("user", required=True), groups=part.texts("groups"))


def _target(part: _Part) -> ObjectAttributes | NonResource:
    if part.has("path"):
        for key in _OF_OBJECTS:
            if part.has(key):
                raise part.wrong(f'"{key}" does not go with a path', key)
        path = part.text("path", required=True)
        if not path.startswith("/"):
            raise part.wrong(f'the path "{path}" does not begin with /', "path")
        return NonResource(path=path)
    resource, slash, subresource = part.text("resource", required=True).partition("/")
    if slash and part.has("subresource"):
        raise part.wrong("the subresource stands there twice", "subresource")
    return ObjectAttributes(
        resource=resource,
        subresource=subresource or part.text("subresource"),
        group=part.text("group"),
        namespace=part.text("namespace"),
        name=part.text("name"),
    )


def _expectation(part: _Part) -> Expectation:
    part.only({"level", "at_least", "at_most", "stages", "rule"})
    if not part.value:
        raise part.wrong("nothing is expected")
    rule = part.value.get("rule")
    if part.has("rule") and (not isinstance(rule, int) or isinstance(rule, bool) or rule < 0):
        raise part.wrong('"rule" is no number; the first rule is 0', "rule")
    return Expectation(
        level=_level(part, "level"),
        at_least=_level(part, "at_least"),
        at_most=_level(part, "at_most"),
        stages=_stages(part),
        rule=rule,
    )


def _level(part: _Part, key: str) -> Level | None:
    if not part.has(key):
        return None
    text = part.text(key, required=True)
    try:
        return Level(text)
    except ValueError:
        known = ", ".join(level.value for level in Level)
        raise part.wrong(f'"{text}" is none of {known}', key) from None


def _stages(part: _Part) -> tuple[Stage, ...] | None:
    if not part.has("stages"):
        return None
    texts = part.texts("stages")
    known = [stage.value for stage in Stage if stage is not Stage.PANIC]
    for text in texts:
        if text not in known:
            raise part.wrong(f'"{text}" is none of {", ".join(known)}', "stages")
    return tuple(Stage(text) for text in texts)
