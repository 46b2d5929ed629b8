"""Which writes rules of the kernel's audit report, as auditctl(8) and the kernel take them."""

import pytest

from kcompliance.model.auditd.coverage import Coverage, Target, covers
from kcompliance.model.auditd.rules import load_rules
from kcompliance.model.auditd.text import lines_of

POLICY = Target(path="/etc/kubernetes/audit-policy.yaml")
LOGS = Target(path="/var/log/kubernetes/audit", folder=True)
B64, B32 = "-a always,exit -F arch=b64", "-a always,exit -F arch=b32"
CALLS = (
    "open,openat,openat2,creat,truncate,ftruncate,rename,renameat,renameat2,unlink,unlinkat,"
    "chmod,fchmod,fchmodat,chown,fchown,lchown,fchownat,setxattr,lsetxattr,fsetxattr"
)


def _covers(text: str, target: Target = POLICY) -> Coverage:
    found = load_rules(lines_of("r", text))
    assert found.unread == ()
    return covers(found, target)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("-w /etc/kubernetes -p wa", POLICY),
        ("-w /etc/kubernetes/ -p wa -k k", POLICY),
        ("-w /etc -p rwxa", POLICY),
        ("-w /etc/kubernetes", POLICY),
        ("-w /etc/kubernetes/audit-policy.yaml -p wa", POLICY),
        ("-a always,exit -F path=/etc/kubernetes/audit-policy.yaml -F perm=wa", POLICY),
        ("-a always,exit -F dir=/etc -p wa", POLICY),
        ("-a always,exit -S all -F dir=/", POLICY),
        (f"{B64} -S all -F dir=/etc -F perm=wa\n{B32} -S all -F dir=/etc -F perm=wa", POLICY),
        (f"{B64} -S {CALLS} -F dir=/etc\n{B32} -S {CALLS} -F dir=/etc", POLICY),
        ("-w /etc -p w\n-w /etc -p a", POLICY),
        ("-w /var/log/kubernetes/audit -p wa", LOGS),
        ("-w /var/log -p wa", LOGS),
        ("-a always,exit -F dir=/var/log/kubernetes/audit/ -F perm=wa", LOGS),
    ],
)
def test_these_rules_report_every_write(text: str, target: Target) -> None:
    assert _covers(text, target).missing == ()


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        ("", POLICY, "no rule is about"),
        ("-w /etc/kube -p wa", POLICY, "no rule is about"),
        ("-w /etc/kubernetes/*.yaml -p wa", POLICY, "no rule is about"),
        ("-w /etc/../etc/kubernetes -p wa", POLICY, "no rule is about"),
        ("-w /etc/kubernetes -p r", POLICY, "no rule is about"),
        ("-w /etc/kubernetes -p w", POLICY, "changes of attributes is not seen"),
        ("-w /etc/kubernetes -p a", POLICY, "opening for writing is not seen"),
        ("-a always,exit -F path=/etc/kubernetes -F perm=wa", POLICY, "no rule is about"),
        (f"{B64} -S all -F dir=/etc -F perm=wa", POLICY, "by 32-bit programs"),
        (f"-a always,exit -S {CALLS} -F dir=/etc", POLICY, "deletion is not seen by 32-bit"),
        (f"{B32} -S all -F dir=/etc -F perm=wa", POLICY, "opening for writing is not seen"),
        ("-a always,exit -S open,openat -F dir=/etc", POLICY, "by creat, openat2 is not seen"),
        ("-a always,exit -F dir=/etc -F perm=wa -F auid>=1000", POLICY, "only what auid>=1000"),
        ("-a always,exit -F dir=/etc -F perm=wa -F uid=0", POLICY, "only what uid=0"),
        ("-a always,exit -F dir=/etc -F perm=wa -F success=0", POLICY, "only what success=0"),
        ("-a always,exit -F dir=/etc -F perm=wa -F exe=/bin/vi", POLICY, "only what exe=/bin/vi"),
        ("-a always,exit -F dir=/etc -F perm=wa -F exe!=/bin/vi", POLICY, "exe!=/bin/vi"),
        ("-a always,exit -F dir=/etc -F perm=wa -C auid!=obj_uid", POLICY, "-C auid!=obj_uid"),
        ("-a always,exit -F path=/var/log/kubernetes/audit -F perm=wa", LOGS, "sees only /var/log"),
        ("-w /var/log/kubernetes/audit/audit.log -p wa", LOGS, "sees only /var/log"),
        ("-a always,task -F uid=0", POLICY, "no rule is about"),
    ],
)
def test_these_rules_leave_writes_out_and_say_which(text: str, target: Target, words: str) -> None:
    assert words in "; ".join(_covers(text, target).missing)


WATCHES = "-w /etc/kubernetes -p wa\n-w /var/log/kubernetes/audit -p wa"


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        (f"-a never,exit -F dir=/etc\n{WATCHES}", POLICY, "line 1 of r hides it"),
        (f"{WATCHES}\n-A never,exit -F dir=/etc", POLICY, "line 3 of r hides it"),
        (f"-a never,exit -S all\n{WATCHES}", POLICY, "hides it"),
        (f"-a never,exit -S rename -F dir=/etc\n{WATCHES}", POLICY, "renaming by rename"),
        (
            f"-a never,exit -F dir=/etc -F uid=0\n{WATCHES}",
            POLICY,
            "hides writes with only what uid",
        ),
        (
            f"-a never,exit -F dir=/var/log/kubernetes/audit/old\n{WATCHES}",
            LOGS,
            "hides writes below",
        ),
        (f"-a never,task\n{WATCHES}", POLICY, "keeps the audit off every process"),
        (f"{WATCHES}\n-a task,never", POLICY, "keeps the audit off every process"),
        (f"{WATCHES}\n-a never,task -F uid=33", POLICY, "off processes with uid=33"),
        (
            f"{WATCHES}\n-a always,exclude -F msgtype=PATH",
            POLICY,
            "drops records with msgtype=PATH",
        ),
        (f"{WATCHES}\n-a never,exclude -F uid=0", POLICY, "drops records with uid=0"),
        (f"{WATCHES}\n-a never,filesystem -F fstype=0xef53", POLICY, "hides file systems"),
    ],
)
def test_other_rules_hide_what_a_watch_would_report(text: str, target: Target, words: str) -> None:
    assert words in "; ".join(_covers(text, target).missing)


@pytest.mark.parametrize(
    "text",
    [
        f"{WATCHES}\n-a never,exit -F dir=/etc",
        f"-a never,exit -F dir=/etc/kubernetes/pki\n{WATCHES}",
        f"-a never,exit -F dir=/etc -F perm=r\n{WATCHES}",
        f"-a never,exit -S stat -F dir=/etc\n{WATCHES}",
        f"-a never,exit -F dir=/etc -F success=0\n{WATCHES}",
        f"-a never,exit -F dir=/etc -F exe=/usr/local/bin/kube-apiserver\n{WATCHES}",
        f"-a always,exclude -F msgtype=CWD\n{WATCHES}",
        f"-a never,filesystem -F fstype=tracefs\n{WATCHES}",
        f"-a always,task\n-a never,task\n{WATCHES}",
        f"-a never,user -F uid=0\n{WATCHES}",
    ],
)
def test_these_rules_hide_nothing_of_it(text: str) -> None:
    assert _covers(text).missing == ()


def test_what_is_left_out_on_purpose_is_a_note() -> None:
    own = _covers("-a always,exit -F dir=/etc -F perm=wa -F exe!=/usr/local/bin/kube-apiserver")
    failed = _covers("-a always,exit -F dir=/etc -F perm=wa -F success=1")
    alone = _covers("-w /etc/kubernetes/audit-policy.yaml -p wa")

    assert own.notes == ("writes by /usr/local/bin/kube-apiserver are not reported: line 1 of r",)
    assert failed.notes == ("writes that fail are not reported: line 1 of r",)
    assert "watch the folder" in alone.notes[0]
    assert (own.missing, failed.missing, alone.missing) == ((), (), ())


def test_a_rule_that_may_not_be_loaded_is_a_doubt() -> None:
    found = load_rules(lines_of("r", "-x\n-w /etc -p wa"))

    assert "auditctl stops at line 1" in str(covers(found, POLICY).doubt)
