"""Fetches files by their Maven coordinates; run by `java_program` in a process of its own.

    python -P maven_fetch.py REPOSITORY

Reads coordinates (group:artifact:version:packaging:classifier) from standard input, a line each,
and writes the path of each file inside REPOSITORY, in the same order. The process has to find
jgo, which is no dependency of this project: it comes in a lock of its own.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jgo.maven  # type: ignore[import-not-found] # only this process has it

_AT_A_TIME = 4
_SECONDS_TO_ANSWER = 60


def main(repository: Path, coordinates: list[str]) -> None:
    """Fetch what is not in the repository yet, and print where each file is."""
    maven = jgo.maven.MavenContext(repo_cache=repository, timeout=_SECONDS_TO_ANSWER)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for path in pool.map(lambda each: _fetch(maven, each), coordinates):
            print(path)  # noqa: T201 - the answer of this process


def _fetch(maven: "jgo.maven.MavenContext", coordinates: str) -> Path:
    group, artifact, version, packaging, classifier = coordinates.split(":")
    component = maven.project(group, artifact).at_version(version)
    path: Path = component.artifact(classifier=classifier, packaging=packaging).resolve()
    return path


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.stdin.read().split())
