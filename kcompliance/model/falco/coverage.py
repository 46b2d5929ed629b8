"""Which of Falco's rules report writes to a path, and what they leave out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kcompliance.model.falco.conditions import Condition, MacroName, Unclear, parts_of
from kcompliance.model.falco.events import Deed, Event, Memo, Names, Sight, Verdict, events_on, see
from kcompliance.model.falco.rules import FalcoRule, FalcoRules, condition_of, names_of

__all__ = ["FalcoCoverage", "reports_writes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FalcoCoverage:
    """What the rules report of writes to some paths.

    `missing`: what none reports, in words. `questions`: what only rules report that are not
    understood, or that leave somebody out. Both empty: all is reported.
    """

    missing: tuple[str, ...]
    questions: tuple[str, ...] = ()
    rules: tuple[FalcoRule, ...] = ()
    """Those that report, and those behind the questions."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A rule with its condition, or why that is not understood."""

    rule: FalcoRule
    condition: Condition | None = None
    unclear: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Best:
    """The best that any rule does for one event."""

    verdict: Verdict = Verdict.NEVER
    rule: FalcoRule | None = None
    because: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


def reports_writes(found: FalcoRules, paths: Sequence[str]) -> FalcoCoverage:
    """What these rules report of writes to the files of these paths."""
    names, unclear = names_of(found)
    ready = [_ready(rule) for rule in found.rules]
    active = [each for each in ready if _silent(each.rule) is None]
    deeds: dict[Deed, list[_Best]] = {}
    for path in paths:
        for event in events_on(path):
            deeds.setdefault(event.deed, []).append(_best(active, event, names, path))
    missing, questions, rules, notes = [], [], [], []
    for deed, bests in deeds.items():
        worst = max(bests, key=lambda best: best.verdict.value)
        rules += [best.rule for best in bests if best.rule]
        notes += [_left_out(best) for best in bests if best.left_out]
        if worst.verdict in (Verdict.NEVER, Verdict.ONLY):
            missing.append(_missing(deed, worst, ready, names, paths))
        elif worst.verdict is not Verdict.ALWAYS:
            questions.append(_question(deed, worst))
    if missing and any(_mentions(rule.rule, paths) for rule in active):
        missing += unclear
    return FalcoCoverage(
        missing=tuple(dict.fromkeys(missing)),
        questions=tuple(dict.fromkeys(questions)),
        rules=tuple({rule.name: rule for rule in rules}.values()),
        notes=tuple(dict.fromkeys(notes)),
    )


def _ready(rule: FalcoRule) -> _Ready:
    try:
        return _Ready(rule=rule, condition=condition_of(rule))
    except Unclear as error:
        return _Ready(rule=rule, unclear=str(error))


def _silent(rule: FalcoRule) -> str | None:
    """Why nobody hears of a rule."""
    if not rule.enabled:
        return "is not enabled"
    if not rule.loud:
        return f"has the priority {rule.priority or 'none'}, below Notice"
    if rule.events != "syscall":
        return f"is about {rule.events}, not system calls"
    return None


def _best(active: Sequence[_Ready], event: Event, names: Names, path: str) -> _Best:
    best, memo = _Best(), Memo()
    for each in active:
        sight = _sight(each, event, names, path, memo)
        if sight.verdict.value < best.verdict.value:
            best = _Best(
                verdict=sight.verdict,
                rule=each.rule,
                because=sight.because,
                left_out=sight.left_out,
            )
        if best.verdict is Verdict.ALWAYS and not best.left_out:
            break
    return best


def _sight(each: _Ready, event: Event, names: Names, path: str, memo: Memo | None = None) -> Sight:
    """One rule on one event; what is not understood is of interest where it names the path."""
    if each.condition is None:
        if _mentions(each.rule, (path,)):
            return Sight(verdict=Verdict.UNCLEAR, because=(each.unclear,))
        return Sight(verdict=Verdict.NEVER)
    try:
        return see(each.condition, event, names, memo)
    except Unclear as error:
        if _concerns(each.condition, path, names):
            return Sight(verdict=Verdict.UNCLEAR, because=(str(error),))
        return Sight(verdict=Verdict.NEVER)


def _mentions(rule: FalcoRule, paths: Sequence[str]) -> bool:
    """Whether a condition's text names a path, or a folder on the way to it below the top."""
    return any(part in rule.condition for path in paths for part in _ways(path))


def _ways(path: str) -> Iterator[str]:
    parts = path.split("/")
    for end in range(3, len(parts) + 1):
        yield "/".join(parts[:end])


def _concerns(condition: Condition, path: str, names: Names) -> bool:
    """Whether a path, or a folder on the way to it, is among a condition's values."""
    ways = tuple(_ways(path))
    pending, done = [condition], set()
    while pending:
        for part in parts_of(pending.pop()):
            if isinstance(part, MacroName):
                if part.name in names.macros and part.name not in done:
                    pending.append(names.macros[part.name])
                done.add(part.name)
            else:
                values = [v for value in part.values for v in names.lists.get(value, (value,))]
                if any(way in value for way in ways for value in values):
                    return True
    return False


# --- in words ------------------------------------------------------------------------------------


def _left_out(best: _Best) -> str:
    name = best.rule.name if best.rule else "?"
    return f'"{name}" leaves out, by a name that anybody can take: {"; ".join(best.left_out)}'


def _question(deed: Deed, best: _Best) -> str:
    name = best.rule.name if best.rule else "?"
    why = "; ".join(best.because[:5])
    if best.verdict is Verdict.BUT_FOR:
        return f'"{name}" reports files that are {deed.value} with exceptions: {why}'
    return f'whether "{name}" reports files that are {deed.value} is not understood: {why}'


def _missing(
    deed: Deed, best: _Best, ready: Sequence[_Ready], names: Names, paths: Sequence[str]
) -> str:
    if best.rule is not None and best.verdict is Verdict.ONLY:
        why = "; ".join(best.because[:5])
        return f'files that are {deed.value} are reported by "{best.rule.name}" only if {why}'
    for each in ready:
        reason = _silent(each.rule)
        if reason and _would(each, deed, names, paths):
            would = f'would be reported by "{each.rule.name}", which {reason}'
            return f"files that are {deed.value} {would}"
    hint = ""
    if deed is not Deed.OPENED and any(_by_descriptor(each, paths) for each in ready):
        hint = ": fd.name is empty there, fs.path.name, .source and .target are not"
    return f"no rule reports files that are {deed.value}{hint}"


def _by_descriptor(each: _Ready, paths: Sequence[str]) -> bool:
    return "fd." in each.rule.condition and _mentions(each.rule, paths)


def _would(each: _Ready, deed: Deed, names: Names, paths: Sequence[str]) -> bool:
    events = [(e, path) for path in paths for e in events_on(path) if e.deed is deed]
    return all(_sight(each, e, names, path).verdict is Verdict.ALWAYS for e, path in events)
