"""`policy coverage` as JSON, with types of its own."""

import msgspec

from kcompliance.model.audit_policy import Level, Loaded
from kcompliance.model.digest import Sha256
from kcompliance.model.personas import PERSONAS, Persona
from kcompliance.model.policy_coverage import Asked, Cell, Coverage, Row
from kcompliance.model.request import NonResource, Request
from kcompliance.report.json_policy import PolicyV1, policy_of, render_document

__all__ = ["COVERAGE_SCHEMA", "PolicyCoverage", "RequestOfV1", "render_coverage", "request_of"]

COVERAGE_SCHEMA = "kcompliance/policy-coverage/v1"


class RequestOfV1(msgspec.Struct, kw_only=True):
    """What is asked for: an object, with `path` null, or a path, with `resource` null."""

    verb: str
    group: str
    resource: str | None
    subresource: str
    namespace: str
    name: str
    path: str | None


class PersonaV1(msgspec.Struct, kw_only=True):
    """A kind of user; `user` null is a login that fails."""

    name: str
    user: str | None
    groups: list[str]


class AskedV1(msgspec.Struct, kw_only=True):
    """One request: `level` is None where every stage of it is left out, too.

    `rule` counts from 0, `line` from 1, null where no rule matches.
    """

    request: RequestOfV1
    level: str
    stages: list[str]
    rule: int | None
    line: int | None


class CellV1(msgspec.Struct, kw_only=True):
    """One persona in one row: the levels of the least and the most recorded of its requests."""

    persona: str
    weakest: str
    strongest: str
    requests: list[AskedV1]


class CoverageRowV1(msgspec.Struct, kw_only=True):
    """One action over one transport."""

    action: str
    transport: str
    cells: list[CellV1]


class CoverageSummaryV1(msgspec.Struct, kw_only=True):
    """How many requests were asked about, and of how many nothing is recorded."""

    requests: int
    unrecorded: int


class PolicyCoverage(msgspec.Struct, kw_only=True):
    """The whole document; every row has a cell for each persona, in their order."""

    schema: str
    policy: PolicyV1
    personas: list[PersonaV1]
    rows: list[CoverageRowV1]
    summary: CoverageSummaryV1


def render_coverage(digest: Sha256, loaded: Loaded, coverage: Coverage) -> str:
    """One JSON document, ending with a line feed."""
    asked = list(coverage.asked)
    unrecorded = sum(each.level is Level.NONE for each in asked)
    return render_document(
        PolicyCoverage(
            schema=COVERAGE_SCHEMA,
            policy=policy_of(digest, loaded),
            personas=[_persona(each) for each in PERSONAS],
            rows=[_row(row) for row in coverage.rows],
            summary=CoverageSummaryV1(requests=len(asked), unrecorded=unrecorded),
        )
    )


def request_of(request: Request) -> RequestOfV1:
    """A request without its user."""
    target = request.target
    if isinstance(target, NonResource):
        return RequestOfV1(
            verb=request.verb,
            group="",
            resource=None,
            subresource="",
            namespace="",
            name="",
            path=target.path,
        )
    return RequestOfV1(
        verb=request.verb,
        group=target.group,
        resource=target.resource,
        subresource=target.subresource,
        namespace=target.namespace,
        name=target.name,
        path=None,
    )


def _persona(persona: Persona) -> PersonaV1:
    user = persona.user
    return PersonaV1(
        name=persona.name,
        user=None if user is None else user.name,
        groups=[] if user is None else list(user.groups),
    )


def _row(row: Row) -> CoverageRowV1:
    return CoverageRowV1(
        action=row.action,
        transport=row.transport.value,
        cells=[_cell(cell) for cell in row.cells],
    )


def _cell(cell: Cell) -> CellV1:
    return CellV1(
        persona=cell.persona.name,
        weakest=cell.weakest.value,
        strongest=cell.strongest.value,
        requests=[_asked(each) for each in cell.asked],
    )


def _asked(asked: Asked) -> AskedV1:
    decision = asked.decision
    return AskedV1(
        request=request_of(asked.request),
        level=asked.level.value,
        stages=[stage.value for stage in decision.stages],
        rule=decision.rule,
        line=decision.line,
    )
