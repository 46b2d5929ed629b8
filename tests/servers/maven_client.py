"""Asks Maven Central; run by `java_program` and `pin_jars` in a process of its own.

    python -P maven_client.py fetch REPOSITORY
    python -P maven_client.py resolve REPOSITORY

Both read coordinates (group:artifact:version:packaging:classifier) from standard input, a line
each. `fetch` writes the path inside REPOSITORY of each file, in the same order. `resolve` writes
the coordinates of all that is needed to run them, themselves included; a line `-group:artifact`
leaves that out with all that only it needs, and the artifact may be `*`.

The process has to find jgo, which is no dependency of this project: it has a lock of its own.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jgo.maven  # type: ignore[import-not-found] # only this process has it

_AT_A_TIME = 4
_SECONDS_TO_ANSWER = 60
_AS_WRITTEN = "!"
"""Coordinates with this mark are not taken for lists of versions that hold for all others."""


def fetch(maven: "jgo.maven.MavenContext", lines: list[str]) -> list[str]:
    """Where each file is, after those are fetched that were not there."""

    def one(coordinates: str) -> str:
        group, artifact, version, packaging, classifier = coordinates.split(":")
        component = maven.project(group, artifact).at_version(version)
        return str(component.artifact(classifier=classifier, packaging=packaging).resolve())

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return list(pool.map(one, lines))


def resolve(maven: "jgo.maven.MavenContext", lines: list[str]) -> list[str]:
    """The coordinates of all that is needed at run time."""
    left_out = [maven.project(*line[1:].split(":")) for line in lines if line.startswith("-")]
    wanted = [
        maven.create_dependency(line.rstrip(":") + _AS_WRITTEN, left_out)
        for line in lines
        if not line.startswith("-")
    ]
    themselves, others = maven.resolver.resolve(wanted)
    return [
        f"{each.groupId}:{each.artifactId}:{each.version}:{each.type}:{each.classifier}"
        for each in (*themselves, *others)
        if each.scope in (None, "compile", "runtime") and not each.optional
    ]


if __name__ == "__main__":
    command = {"fetch": fetch, "resolve": resolve}[sys.argv[1]]
    context = jgo.maven.MavenContext(repo_cache=Path(sys.argv[2]), timeout=_SECONDS_TO_ANSWER)
    for answer in command(context, sys.stdin.read().split()):
        print(answer)  # noqa: T201 - the answer of this process
