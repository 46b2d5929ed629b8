"""KC-CMP-006: secrets and tokens do not leak into the audit log."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from kcompliance.checks.by_events import FromEvents, all_seen, wrongly_recorded
from kcompliance.checks.by_policy import Answer, OwnPolicy, judge_by_policy, trial_answer
from kcompliance.checks.completeness.provider_owned import asked_of_the_provider
from kcompliance.checks.interface import check
from kcompliance.checks.shipped import also_shipped
from kcompliance.model.audit_policy import AuditPolicy, Level, Rule
from kcompliance.model.cluster import Cluster, PolicyText
from kcompliance.model.finding import Finding, Status, evidence_of
from kcompliance.model.observed import Observed, SeenRequest, Wanted, kind_of
from kcompliance.model.personas import PERSONAS, WRITES, Persona
from kcompliance.model.probes import (
    Probe,
    Trial,
    Tried,
    ask,
    cluster_wide,
    in_words_of,
    objects,
    recording_less,
    recording_more,
    try_each,
)
from kcompliance.model.request import ObjectAttributes, User

__all__ = ["Params", "secrets_do_not_leak_into_the_log"]

_ASPECTS: Final = ("bodies", "tokens", "recorded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The parameters of KC-CMP-006."""

    leak_profile: str = "cis"


_Probes = Callable[[Sequence[Rule], tuple[Persona, ...]], Iterator[Probe]]


@check("KC-CMP-006", params=Params)
def secrets_do_not_leak_into_the_log(cluster: Cluster, params: Params) -> Iterator[Finding]:
    """Secrets and tokens do not leak into the audit log

    CIS wants secrets, config maps and token reviews at Metadata exactly: not more, and not less.
    Where the policy can only be assumed, stored events with bodies show that it does more, and
    those at Metadata that it does not less; that it never does more they cannot show.
    """
    if params.leak_profile not in ("cis", "stig"):
        because = f'leak_profile is "{params.leak_profile}", where cis or stig is needed'
        for aspect in _ASPECTS:
            yield Finding.error(cluster.name, because, aspect=aspect)
        return
    findings = judge_by_policy(
        cluster,
        _ASPECTS,
        _judge_as_stig if params.leak_profile == "stig" else _judge,
        question="Does any event of {name} about a secret or a config map hold a requestObject "
        "or a responseObject? Look for some in the log store.",
        events={"bodies": _bodies_seen, "tokens": _tokens_seen, "recorded": _recorded_seen},
        own=OwnPolicy(without=Status.NOT_APPLICABLE),
    )
    asked = asked_of_the_provider(
        cluster,
        findings,
        question="Is anything secret in what these rules record of {name}? Nobody but its "
        "provider can change them.",
    )
    yield from also_shipped(cluster, asked, aspects=("recorded",))


def _judge_as_stig(policy: PolicyText, _rules: AuditPolicy) -> Iterator[Answer]:
    because = "leak_profile is stig, and V-242403 asks for the bodies of everything"
    for aspect in _ASPECTS:
        yield Answer(
            status=Status.NOT_APPLICABLE,
            because=because,
            evidence=evidence_of(policy.raw, policy.location or "whole file"),
            aspect=aspect,
        )


def _judge(policy: PolicyText, rules: AuditPolicy) -> Iterator[Answer]:
    trial = _try_above(rules, _secrets, Level.METADATA)
    yield trial_answer(
        policy,
        rules,
        trial,
        lack="are recorded above Metadata",
        kept=_kept(trial),
        aspect="bodies",
    )
    trial = _try_above(rules, _tokens, Level.REQUEST)
    yield trial_answer(
        policy,
        rules,
        trial,
        lack="are recorded above Request, with the token that they give",
        kept=_kept(trial),
        aspect="tokens",
    )
    loose = recording_less(rules, Level.METADATA)
    trial = try_each(
        rules, _secrets(loose, PERSONAS), lambda each: each.recorded_at(Level.METADATA)
    )
    yield trial_answer(policy, rules, trial, lack="are recorded below Metadata", aspect="recorded")


def _try_above(rules: AuditPolicy, probes: _Probes, level: Level) -> Trial:
    """Whether any of these requests is recorded above the level, whoever sends it."""
    loud = recording_more(rules, Level.METADATA)
    anybody = (*PERSONAS, *_named_users(loud))
    return try_each(rules, probes(loud, anybody), lambda each: not _above(each, level))


def _kept(trial: Trial) -> str:
    return f"records none of {trial.tried} requests with what is secret in them"


def _above(tried: Tried, level: Level) -> bool:
    return tried.decision.level > level and bool(tried.decision.stages)


# --- what is asked --------------------------------------------------------------------------

_HOLDERS: Final = objects("", "secrets", "configmaps")
_READS: Final = ("get", "list", "watch")
_VERBS: Final = (*_READS, *WRITES)
_REVIEWS: Final = objects("authentication.k8s.io", "tokenreviews", namespace="")
_TOKENS: Final = objects("", "serviceaccounts/token")


def _secrets(rules: Sequence[Rule], personas: tuple[Persona, ...]) -> Iterator[Probe]:
    yield from ask(personas, _VERBS, in_words_of(rules, _HOLDERS))
    yield from ask(personas, ("list", "watch"), cluster_wide(_HOLDERS))
    yield from ask(personas, ("create",), in_words_of(rules, _REVIEWS))


def _tokens(rules: Sequence[Rule], personas: tuple[Persona, ...]) -> Iterator[Probe]:
    yield from ask(personas, ("create",), in_words_of(rules, _TOKENS))


def _named_users(rules: Sequence[Rule]) -> tuple[Persona, ...]:
    """Whoever a rule that records bodies names: a leak for one user is a leak."""
    found: dict[Persona, None] = {}
    for rule in rules:
        user, groups = next(iter(rule.users), "kcompliance:human"), rule.user_groups
        for name in rule.users or (user,) * bool(groups):
            found[_persona(name, groups[:1])] = None
        for group in groups[1:]:
            found[_persona(user, (group,))] = None
    return tuple(found)


def _persona(name: str, groups: tuple[str, ...]) -> Persona:
    words = f"{name} of {groups[0]}" if groups else name
    return Persona(name=words, user=User(name=name, groups=(*groups, "system:authenticated")))


# --- by events ------------------------------------------------------------------------------


def _bodies_seen(observed: Observed, assumed: AuditPolicy) -> FromEvents:
    """Universal: events of some days never show that there is no leak on others."""
    seen = (*observed.of(_VERBS, _HOLDERS), *observed.of(("create",), _REVIEWS))
    return _seen_above(seen, Level.METADATA, _try_above(assumed, _secrets, Level.METADATA))


def _tokens_seen(observed: Observed, assumed: AuditPolicy) -> FromEvents:
    """Universal."""
    seen = tuple(observed.of(("create",), _TOKENS))
    return _seen_above(seen, Level.REQUEST, _try_above(assumed, _tokens, Level.REQUEST))


def _seen_above(seen: tuple[SeenRequest, ...], level: Level, known: Trial) -> FromEvents:
    """What the provider's rules are known to record is a question, as on AKS, and no fail."""
    rules = {
        (hole.request.verb, kind_of(hole.request.target), hole.decision.level)
        for hole in known.holes
        if isinstance(hole.request.target, ObjectAttributes)
    }
    above = [each for each in seen if each.level > level]
    more = [each for each in above if (each.verb, kind_of(each.target), each.level) not in rules]
    total = sum(each.records for each in seen)
    because = f"of {total} stored events none is above {level.value}, which is no proof for others"
    if above:
        because = f"stored events are above {level.value} only by rules that are known"
    return wrongly_recorded(more, f"are above {level.value}") or FromEvents(
        status=Status.MANUAL, because=because, shown=tuple(above)
    )


def _recorded_seen(observed: Observed, _assumed: AuditPolicy) -> FromEvents:
    """Existential for each kind of object, for its reads and for its writes."""
    return all_seen(observed, _wanted())


def _wanted() -> Iterator[Wanted]:
    for target in _HOLDERS:
        for words, verbs in (("a read", _READS), ("a change", WRITES)):
            yield Wanted(words=f"{words} of {kind_of(target)}", verbs=verbs, targets=(target,))
    yield Wanted(words="a creation of a token review", verbs=("create",), targets=_REVIEWS)
