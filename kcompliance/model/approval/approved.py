"""What somebody approved of: the document kcompliance.lock (`kcompliance/lock/v1`).

It is JSON, which is YAML too, with one value a line, so that git shows small differences. It holds
each approved policy in its canonical form: what became of it can be told years later without the
file of then. Nothing in it is secret. It is hostile like every other input: whoever reads it gets
what holds together, or a sentence.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, NoReturn

import msgspec

from kcompliance.model.approval.clouds import ApprovedCloudV1
from kcompliance.model.approval.part import Part
from kcompliance.model.approval.policy import CanonicalPolicyV1, canonical_sha256, policy_in
from kcompliance.model.approval.stores import ApprovedStoreV1
from kcompliance.model.digest import parse_sha256
from kcompliance.model.webhook_config import WebhookConfig

__all__ = [
    "APPROVED_FILE",
    "LOCK_SCHEMA",
    "MAX_LOCK_BYTES",
    "Approved",
    "ApprovedPolicyV1",
    "ApprovedServerV1",
    "ApprovedTargetV1",
    "ApprovedWebhookV1",
    "WrongLock",
    "approved_webhook",
    "changed_webhook",
    "read_lock",
    "write_lock",
]

APPROVED_FILE: Final = "kcompliance.lock"
LOCK_SCHEMA: Final = "kcompliance/lock/v1"
MAX_LOCK_BYTES: Final = 16 * 1024 * 1024


class WrongLock(Exception):
    """Not a kcompliance.lock, or one that does not hold together; the message is a sentence."""


class ApprovedPolicyV1(Part, frozen=True):
    """An audit policy: `sha256` of the file's bytes, and what a server makes of them."""

    name: str
    sha256: str
    canonical_sha256: str
    canonical: CanonicalPolicyV1


class ApprovedWebhookV1(Part, frozen=True):
    """Where events are posted; of authority and credential only the kind, null for none."""

    server: str
    authority: str | None
    credential: str | None
    skips_verification: bool


class ApprovedServerV1(Part, frozen=True):
    """How one or several API servers run; `policy` is the sha256 of one of the policies.

    `flags` are what the audit flags come to, null where that was not known; `webhook` is null
    where there is none or its file was not seen.
    """

    names: tuple[str, ...]
    policy: str
    flags: dict[str, str | None]
    webhook: ApprovedWebhookV1 | None


class ApprovedTargetV1(Part, frozen=True, omit_defaults=True):
    """What was approved of one target; no servers where only policies were seen.

    `clouds` and `stores` are not there in locks of before they were approved too.
    """

    approved_at: Annotated[datetime, msgspec.Meta(tz=True)]
    approved_by: str
    commit: str | None
    reason: str | None
    policies: tuple[ApprovedPolicyV1, ...]
    servers: tuple[ApprovedServerV1, ...]
    clouds: tuple[ApprovedCloudV1, ...] = ()
    stores: tuple[ApprovedStoreV1, ...] = ()

    def policy_of(self, server: ApprovedServerV1) -> ApprovedPolicyV1:
        """The policy that a server was approved with."""
        return next(policy for policy in self.policies if policy.sha256 == server.policy)


class Approved(Part, frozen=True):
    """The whole document; targets by the name that a scan gives them."""

    schema: str
    targets: dict[str, ApprovedTargetV1]


def approved_webhook(config: WebhookConfig) -> ApprovedWebhookV1:
    """What can be approved of a webhook's kubeconfig."""
    return ApprovedWebhookV1(
        server=config.server,
        authority=config.authority,
        credential=config.credential,
        skips_verification=config.skips_verification,
    )


# --- writing -------------------------------------------------------------------------------


def write_lock(targets: Mapping[str, ApprovedTargetV1]) -> str:
    """The whole file, the same for the same content, ending with a line feed."""
    document = msgspec.to_builtins(Approved(schema=LOCK_SCHEMA, targets=dict(targets)))
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


# --- reading -------------------------------------------------------------------------------


def read_lock(data: bytes) -> Approved:
    """What was approved; WrongLock where that cannot be relied on."""
    if len(data) > MAX_LOCK_BYTES:
        raise WrongLock(f"larger than {MAX_LOCK_BYTES // 1024 // 1024} MiB")
    try:
        document = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise WrongLock(f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise WrongLock(f"not JSON: {error.msg} in line {error.lineno}") from None
    except RecursionError:
        raise WrongLock("nested too deeply") from None
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != LOCK_SCHEMA:
        raise WrongLock(f"its schema is {_shown(schema)}, not {LOCK_SCHEMA}")
    try:
        approved = msgspec.convert(document, Approved)
    except (msgspec.ValidationError, RecursionError) as error:
        raise WrongLock(str(error)) from None
    for name, target in approved.targets.items():
        problem = _problem(target)
        if problem:
            raise WrongLock(f'what it says of "{name}" does not hold together: {problem}')
    return approved


def _shown(value: object) -> str:
    return f'"{value[:60]}"' if isinstance(value, str) else "missing"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        (twice, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise WrongLock(f'"{twice[:60]}" stands there twice')
    return result


def _no_number(text: str) -> NoReturn:
    raise WrongLock(f"the number {text[:20]}, where none belongs")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_no_number,
    parse_float=_no_number,
    parse_constant=_no_number,
)


def _problem(target: ApprovedTargetV1) -> str | None:
    if not target.policies and not target.clouds and not target.stores:
        return "it has no policy"
    if not 2000 <= target.approved_at.year < 9000:
        return f"it was approved in the year {target.approved_at.year}"
    problem = _problem_of_servers(target)
    if problem:
        return problem
    if len({cloud.id for cloud in target.clouds}) < len(target.clouds):
        return "a cluster of a provider stands there twice"
    if len({store.name for store in target.stores}) < len(target.stores):
        return "a store stands there twice"
    problems = [each.problem() for each in target.clouds]
    problems += [each.problem() for each in target.stores]
    return next((problem for problem in problems if problem), None)


def _problem_of_servers(target: ApprovedTargetV1) -> str | None:
    digests = [policy.sha256 for policy in target.policies]
    if len(set(digests)) < len(digests):
        return "a policy stands there twice"
    for policy in target.policies:
        if parse_sha256(policy.sha256) is None:
            return f"the sha256 of {policy.name} is none"
        if policy_in(policy.canonical) is None:
            return f"{policy.name} is not in canonical form"
        if canonical_sha256(policy.canonical) != policy.canonical_sha256:
            return f"the rules of {policy.name} do not have its canonical_sha256"
    names = [name for server in target.servers for name in server.names]
    if len(set(names)) < len(names) or not all(server.names for server in target.servers):
        return "a server stands there twice or has no name"
    if not {server.policy for server in target.servers} <= set(digests):
        return "a server has a policy that is not there"
    return None


# --- comparing -----------------------------------------------------------------------------


def changed_webhook(before: ApprovedWebhookV1, now: ApprovedWebhookV1) -> Iterator[str]:
    """What became of a webhook, such as `server: https://a → https://b`."""
    for field in ApprovedWebhookV1.__struct_fields__:
        was, is_ = (_word(getattr(each, field)) for each in (before, now))
        if was != is_:
            yield f"{field.replace('_', ' ')}: {was} → {is_}"


def _word(value: str | bool | None) -> str:  # noqa: FBT001 - a field of any of these types
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else value
