"""How fast `kcompliance policy replay` reads, and in how much memory.

    python -m benchmarks.replay [MEGABYTES]

Reports, and asserts nothing: the same code takes other times on other machines. Rates are bytes of
log by seconds of CPU, so that other programs on the machine count for little.
"""

import gzip
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path

from benchmarks.measuring import run_measured
from kcompliance.model.audit_event import AuditEvent, read_events
from kcompliance.model.audit_policy import Loaded, PolicyEvaluator, load_policy

ROOT = Path(__file__).resolve().parent.parent
POLICIES = ROOT / "tests" / "samples" / "policies"
NEW = POLICIES / "managed-cloud.yaml"
OLD = POLICIES / "everything-with-bodies.yaml"
MEGABYTES = 400
SAMPLE = 2000
"""Events that are made; logs repeat them."""
MB = 1_000_000
NOON = b"2026-01-01T12:00:00.000000Z"

VERBS = ("get", "get", "get", "list", "watch", "watch", "update", "patch", "create", "delete")
RESOURCES = (
    ("", "pods", "v1"),
    ("", "configmaps", "v1"),
    ("", "secrets", "v1"),
    ("", "endpoints", "v1"),
    ("apps", "deployments", "v1"),
    ("apps", "replicasets", "v1"),
    ("coordination.k8s.io", "leases", "v1"),
    ("rbac.authorization.k8s.io", "rolebindings", "v1"),
)


def main() -> None:
    """Measure and print a table."""
    size = int(sys.argv[1]) * MB if len(sys.argv) > 1 else MEGABYTES * MB
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, logs of {size // MB} MB\n")
    print(f"{'log':<44}{'MB/s':>8}{'events/s':>12}{'peak MB':>9}")
    with tempfile.TemporaryDirectory(prefix="kcompliance-replay-") as place:
        folder = Path(place)
        for name, bodies in (("Metadata", False), ("RequestResponse", True)):
            log = folder / f"{name}.log"
            events = write_log(log, size, events_like_a_cluster(bodies=bodies))
            show(f"{name}, {size // events} B an event", log, size, events, [])
            show(f"{name}, --against", log, size, events, ["--against", str(OLD)])
            if bodies:
                packed = folder / "log.gz"
                with log.open("rb") as source, gzip.open(packed, "wb", 6) as target:
                    shutil.copyfileobj(source, target)
                show(f"{name}, gzip", packed, size, events, [])
                few = write_log(log, size // 4, events_like_a_cluster(bodies=bodies))
                show(f"{name}, a quarter of it", log, size // 4, few, [])
            log.unlink()
        hostile = folder / "hostile.log"
        events = write_log(hostile, size // 4, strangers())
        show("a user of its own for every event", hostile, size // 4, events, [])
        slowly()


def show(what: str, log: Path, size: int, events: int, more: list[str]) -> None:
    """One run of the command."""
    command = [sys.executable, "-m", "kcompliance", "policy", "replay", "--policy", str(NEW)]
    cost = run_measured([*command, *more, "--format", "json", str(log)], [])
    rate, by_event = size / cost.cpu / MB, events / cost.cpu
    print(f"{what:<44}{rate:>8.0f}{by_event:>12,.0f}{cost.peak / MB:>9.0f}")


def slowly() -> None:
    """The same question, asked event by event as `policy explain --requests` does."""
    lines = list(islice(events_like_a_cluster(bodies=True), 20_000))
    loaded = load_policy(NEW.read_bytes())
    assert isinstance(loaded, Loaded)
    evaluator = PolicyEvaluator(loaded.policy)

    def run() -> None:
        for _, event in read_events(lines):
            assert isinstance(event, AuditEvent)
            evaluator.decide(event.request)

    seconds = cpu_of(run)
    size = sum(map(len, lines))
    what = "for comparison: decoded whole, no cache"
    print(f"{what:<44}{size / seconds / MB:>8.0f}{len(lines) / seconds:>12,.0f}")


def cpu_of(run: Callable[[], None]) -> float:
    """Seconds of CPU that it takes once."""
    start = time.process_time()
    run()
    return time.process_time() - start


# --- logs ----------------------------------------------------------------------------------------


def write_log(path: Path, size: int, lines: Iterator[bytes]) -> int:
    """Write a log of about this size; how many events it has."""
    written = events = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(line)
            written += len(line)
            events += 1
            if written >= size:
                return events
    raise AssertionError("too few events")


def events_like_a_cluster(*, bodies: bool) -> Iterator[bytes]:
    """Without end: service accounts of 200 namespaces and 100 people at common requests."""
    chance = random.Random(1)
    made = [
        one_event(chance, f"user-{chance.randrange(100)}", bodies=bodies) for _ in range(SAMPLE)
    ]
    made += [
        one_event(
            chance, f"system:serviceaccount:ns-{chance.randrange(200)}:controller", bodies=bodies
        )
        for _ in range(SAMPLE)
    ]
    ticks = count()
    while True:
        chance.shuffle(made)
        for each in made:
            yield each.replace(NOON, at(next(ticks)))


def strangers() -> Iterator[bytes]:
    """Without end: every event is of another user."""
    chance = random.Random(2)
    for number in count():
        yield one_event(chance, f"stranger-{number}", bodies=False).replace(NOON, at(number))


def at(tick: int) -> bytes:
    """The time of the event of this number."""
    time_of_it = datetime(2026, 1, 1) + timedelta(milliseconds=40 * tick, microseconds=7)
    return f"{time_of_it.isoformat(timespec='microseconds')}Z".encode()


def one_event(chance: random.Random, user: str, *, bodies: bool) -> bytes:
    """As kube-apiserver writes it."""
    verb, (group, resource, version) = chance.choice(VERBS), chance.choice(RESOURCES)
    namespace, name = f"ns-{chance.randrange(200)}", f"{resource}-{chance.randrange(10_000)}"
    at = "api" if not group else f"apis/{group}"
    one = "" if verb in ("create", "list", "watch") else f"/{name}"
    hidden = bytes(chance.randrange(256) for _ in range(16)).hex()
    event: dict[str, object] = {
        "kind": "Event",
        "apiVersion": "audit.k8s.io/v1",
        "level": "RequestResponse" if bodies else "Metadata",
        "auditID": f"{hidden[:8]}-{hidden[8:12]}-{hidden[12:16]}-{hidden[16:20]}-{hidden[20:]}",
        "stage": "ResponseComplete",
        "requestURI": f"/{at}/{version}/namespaces/{namespace}/{resource}{one}?timeout=34s",
        "verb": verb,
        "user": {
            "username": user,
            "uid": hidden,
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "extra": {"authentication.kubernetes.io/credential-id": [f"JTI={hidden}"]},
        },
        "sourceIPs": [f"10.0.{chance.randrange(256)}.{chance.randrange(256)}"],
        "userAgent": "controller/v1.36.4 (linux/amd64) kubernetes/0123456",
        "objectRef": {
            "resource": resource,
            "namespace": namespace,
            "name": name,
            **({"apiGroup": group} if group else {}),
            "apiVersion": version,
        },
        "responseStatus": {"metadata": {}, "code": 200},
    }
    if bodies and verb != "watch":
        if verb not in ("get", "list"):
            event["requestObject"] = an_object(chance, name, namespace)
        event["responseObject"] = an_object(chance, name, namespace)
    event["requestReceivedTimestamp"] = event["stageTimestamp"] = NOON.decode()
    event["annotations"] = {
        "authorization.k8s.io/decision": "allow",
        "authorization.k8s.io/reason": f'RBAC: allowed by RoleBinding "a/{namespace}"',
    }
    return json.dumps(event, separators=(",", ":")).encode() + b"\n"


def an_object(chance: random.Random, name: str, namespace: str) -> dict[str, object]:
    """Of one to some kilobytes."""
    containers = [
        {"name": f"c{number}", "env": [{"name": f"N{n}", "value": hex(n * 77)} for n in range(8)]}
        for number in range(chance.randrange(1, 8))
    ]
    managed = [{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:a": {}}}}]
    metadata = {"name": name, "namespace": namespace, "managedFields": managed}
    return {"kind": "Thing", "metadata": metadata, "spec": {"containers": containers}}


if __name__ == "__main__":
    main()
