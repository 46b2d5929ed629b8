"""Whether the kernel's audit of a node reports writes to a path."""

from kcompliance.checks.protection.watch import State, Watch
from kcompliance.model.auditd.coverage import Coverage, Target, covers
from kcompliance.model.finding import Evidence, evidence_of
from kcompliance.model.host_audit import HostAudit, RuleSet, Subject

__all__ = ["watched_by_auditd"]

_OTHER_READERS = ("auditbeat", "elastic-agent", "go-audit", "laurel")


def watched_by_auditd(host: HostAudit, subject: Subject, target: Target) -> Watch:
    """What the rules of this node report, as far as they are loaded and the audit is on.

    What `auditctl -l` showed beats files, which are what will be loaded at the next start.
    """
    off = _switched_off(host, subject)
    if off is not None:
        return off
    sets = host.listed or host.files
    if not sets:
        return _without_rules(host, subject, target)
    found = [(each, covers(each.found, target)) for each in sets]
    lacking = [(each, coverage) for each, coverage in found if coverage.missing]
    if len(lacking) == len(found):
        return _silent(lacking)
    if lacking:
        return _different(subject, target, found)
    doubt = next((coverage.doubt for _, coverage in found if coverage.doubt), None)
    evidence = _of_rules(found)
    if doubt:
        because = f"rules would report writes to {target.path}, and may not be loaded: {doubt}"
        return Watch(
            state=State.QUESTION,
            because=because,
            question=f"Does auditctl -l on {subject.name} show rules that watch {target.path}? "
            "Add its output to the scan.",
            evidence=evidence,
        )
    return _active(host, subject, target, found)


def _switched_off(host: HostAudit, subject: Subject) -> Watch | None:
    for status in host.statuses:
        if status.value.enabled == 0:
            because = f"the kernel's audit is off on {subject.name} (enabled 0)"
            evidence = evidence_of(status.raw, "enabled", "0")
            return Watch(state=State.SILENT, because=because, evidence=evidence)
    for each in host.files:
        if each.found.enabled == 0 and not host.statuses:
            because = f"-e 0 in {each.raws[-1].origin.resource} switches the kernel's audit off"
            evidence = evidence_of(each.raws[-1], "-e", "0")
            return Watch(state=State.SILENT, because=because, evidence=evidence)
    return None


def _without_rules(host: HostAudit, subject: Subject, target: Target) -> Watch:
    if host.statuses or host.process("auditd"):
        return Watch(
            state=State.QUESTION,
            because="the kernel's audit is on, and its rules are not in what was given",
            question=f"Does auditctl -l on {subject.name} show rules that watch {target.path}? "
            "Add its output to the scan.",
            evidence=_of_activity(host),
        )
    if host.processes_seen and not host.process(*_OTHER_READERS) and host.facts:
        return Watch(
            state=State.SILENT,
            because=f"auditd does not run on {subject.name}",
            evidence=evidence_of(host.facts.raw, "processes", "no auditd"),
        )
    return Watch(state=State.UNKNOWN)


def _silent(lacking: list[tuple[RuleSet, Coverage]]) -> Watch:
    said = [f"{_named(each)}: {'; '.join(coverage.missing)}" for each, coverage in lacking]
    evidence = tuple(
        item
        for each, coverage in lacking
        for item in (_quotes(each, coverage) or evidence_of(each.raws[0], "whole file"))
    )
    unread = [
        f"line {line.line.number} of {line.line.source} is not understood: {line.reason}"
        for each, _ in lacking
        for line in each.found.unread[:5]
    ]
    return Watch(
        state=State.SILENT, because="; ".join(said), evidence=evidence, notes=tuple(unread)
    )


def _named(each: RuleSet) -> str:
    return ", ".join(raw.origin.resource for raw in each.raws)


def _different(subject: Subject, target: Target, found: list[tuple[RuleSet, Coverage]]) -> Watch:
    yes = [_named(each) for each, coverage in found if not coverage.missing]
    no = [_named(each) for each, coverage in found if coverage.missing]
    return Watch(
        state=State.QUESTION,
        because=f"{'; '.join(yes)} would report writes to {target.path}, {'; '.join(no)} would not",
        question=f"Which rules are loaded on {subject.name}? Run augenrules --load, and add the "
        "output of auditctl -l to the scan.",
        evidence=_of_rules(found),
    )


def _active(
    host: HostAudit, subject: Subject, target: Target, found: list[tuple[RuleSet, Coverage]]
) -> Watch:
    notes = tuple(note for _, coverage in found for note in coverage.notes)
    evidence = _of_rules(found) + _of_activity(host)
    auditd = host.process("auditd")
    if host.statuses or auditd:
        notes += tuple(_notes(host))
        how = "are loaded" if host.listed else "are to be loaded at the start"
        because = f"rules of the kernel's audit that {how} report writes to {target.path}"
        return Watch(state=State.REPORTS, because=because, evidence=evidence, notes=notes)
    if host.processes_seen and not host.listed and not host.process(*_OTHER_READERS):
        because = f"rules would report writes to {target.path}, and no auditd runs"
        return Watch(state=State.SILENT, because=because, evidence=evidence, notes=notes)
    return Watch(
        state=State.QUESTION,
        because=f"rules would report writes to {target.path}; that the audit is on was not seen",
        question=f"Does auditctl -s on {subject.name} say enabled 1 or 2, and does auditctl -l "
        f"show rules that watch {target.path}? Add both outputs to the scan.",
        evidence=evidence,
        notes=notes,
    )


def _notes(host: HostAudit) -> list[str]:
    notes = []
    if not host.listed:
        notes.append("read from files: auditctl -l would show what is loaded now")
    if not host.statuses:
        notes.append("auditd runs, so the audit was taken as enabled: auditctl -s would tell")
    for status in host.statuses:
        if status.value.pid == 0:
            notes.append("no daemon reads the records (pid 0): see KC-MON-004")
        if status.value.enabled == 1:
            notes.append("the rules are not locked: after -e 2 root cannot take them away either")
    return notes


def _of_rules(found: list[tuple[RuleSet, Coverage]]) -> tuple[Evidence, ...]:
    return tuple(item for each, coverage in found for item in _quotes(each, coverage))


def _quotes(each: RuleSet, coverage: Coverage) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(
            raw=each.raw_of(rule.line.source),
            location=f"line {rule.line.number}",
            quote=rule.line.text.strip()[:200],
        )
        for rule in coverage.rules[:10]
    )


def _of_activity(host: HostAudit) -> tuple[Evidence, ...]:
    evidence = tuple(
        Evidence(raw=status.raw, location="enabled", quote=str(status.value.enabled))
        for status in host.statuses
    )
    auditd = host.process("auditd")
    if auditd and host.facts:
        evidence += evidence_of(host.facts.raw, "processes", f"auditd, process {auditd.pid}")
    return evidence
