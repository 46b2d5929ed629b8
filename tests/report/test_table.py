"""The report for people says first what could not be seen, and never sounds better than it is."""

from kcompliance.model.finding import Finding, Severity, evidence_of
from kcompliance.model.reading import Kind, Origin, Raw
from tests.report.outcomes import MOMENT, judged, outcome, shown

ORIGIN = Origin(kind=Kind.OBJECTS, resource="pod.yaml", collector="files", collected_at=MOMENT)
EVIDENCE = evidence_of(Raw(origin=ORIGIN, content=b"x"), "--audit-log-path", "/var/log/a.log")


def passed(resource: str = "server", aspect: str = "durable") -> Finding:
    return Finding.passed(resource, "writes to the node", EVIDENCE, aspect=aspect)


def failed(resource: str = "server", aspect: str = "durable") -> Finding:
    return Finding.failed(resource, "writes nowhere", EVIDENCE, aspect=aspect)


def error(resource: str = "/metrics") -> Finding:
    return Finding.error(resource, "403: not allowed", aspect="durable", permission="get /metrics")


def manual() -> Finding:
    return Finding.manual("server", "cannot be told", "Is it so?", aspect="durable")


def test_what_could_not_be_seen_stands_before_fails_and_passes() -> None:
    text = shown(outcome(judged(passed()), judged(failed("other")), judged(error())))

    assert text.index("error[") < text.index("fail[") < text.index("pass[")


def test_the_summary_begins_with_what_could_not_be_seen() -> None:
    lines = shown(outcome(judged(passed()), judged(error()))).splitlines()

    assert lines[-2].startswith("INCOMPLETE: 1 thing could not be seen")
    assert "1 error" in lines[-1]


def test_a_complete_scan_does_not_speak_of_incompleteness() -> None:
    text = shown(outcome(judged(passed())))

    assert "INCOMPLETE" not in text
    assert "UNANSWERED" not in text
    assert "1 control, 1 finding: 0 error, 0 fail, 0 manual, 0 not applicable, 1 pass" in text


def test_a_question_for_a_human_is_shown_and_counted() -> None:
    text = shown(outcome(judged(manual())))

    assert "= question: Is it so?" in text
    assert "UNANSWERED: 1 question needs a human" in text


def test_the_permission_that_is_missing_is_shown() -> None:
    assert "= grant:   get /metrics" in shown(outcome(judged(error())))


def test_a_fail_shows_reason_evidence_digest_and_remedy() -> None:
    text = shown(outcome(judged(failed())))

    assert "= because:  writes nowhere" in text
    assert "= evidence: pod.yaml  --audit-log-path: /var/log/a.log  sha256 2d711642b726…" in text
    assert "= remedy:   kcompliance controls show KC-AUD-006" in text


def test_hidden_findings_are_still_counted() -> None:
    result = outcome(
        judged(failed(aspect="json-format")), judged(passed()), shown_from=Severity.CRITICAL
    )
    text = shown(result)

    assert "writes nowhere" not in text
    assert "1 finding below critical: not shown here, but counted" in text
    assert "1 fail" in text.splitlines()[-1]


def test_nothing_checked_is_said_and_not_taken_for_good() -> None:
    assert "NOTHING CHECKED" in shown(outcome())


def test_parameters_that_are_not_the_default_are_said() -> None:
    result = outcome(judged(passed()), parameters={"KC-AUD-006": {"accept_stdout": "true"}})

    assert "not the default: KC-AUD-006.accept_stdout = true" in shown(result)


def test_the_same_verdict_on_several_aspects_is_said_once() -> None:
    gap = [
        Finding.error("pods", "403", aspect=aspect)
        for aspect in ("durable", "log-path-set", "json-format")
    ]
    text = shown(outcome(*(judged(finding) for finding in gap)))

    assert text.count("error[") == 1
    assert "3 error" in text


def test_among_several_targets_each_finding_says_whose_it_is() -> None:
    text = shown(outcome(judged(failed(), target="prod"), judged(failed(), target="test")))

    assert "--> prod: server" in text
    assert "--> test: server" in text


def test_text_from_outside_cannot_steer_the_terminal() -> None:
    hostile = Finding.failed("a\x1b[2Jb\u202e", "be\x07cause", EVIDENCE, aspect="durable")
    text = shown(outcome(judged(hostile)))

    assert "\x1b" not in text
    assert "a\\x1b[2Jb\\u202e" in text
    assert "be\\x07cause" in text


def test_text_from_outside_is_no_markup() -> None:
    hostile = Finding.failed("[red]x[/red]", ":boom: [bold]", EVIDENCE, aspect="durable")
    text = shown(outcome(judged(hostile)))

    assert "[red]x[/red]" in text
    assert ":boom: [bold]" in text


def test_verbose_shows_the_evidence_of_passes() -> None:
    assert "= evidence:" not in shown(outcome(judged(passed())))
    assert "= evidence:" in shown(outcome(judged(passed())), verbose=True)
