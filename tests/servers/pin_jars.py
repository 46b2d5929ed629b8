"""Pins the jars of the search servers: `python -m tests.servers.pin_jars`.

Writes the jars.lock of each program for Java from the file beside its folder that has the same
name and ends in `.toml`:

    not_published    what is not at Maven Central, and must not be needed
    unwanted         what nothing here needs
    [places]         for each folder, what is wanted in it; what that depends on comes along
    [extends]        folders that see what is in another one, as all see what is in lib

To take another version, name it there, in `parts` and in the plugin-descriptor.properties of the
modules.
"""

import hashlib
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.servers.java_program import LOCK, Jar, JavaProgram, run_maven
from tests.servers.parts import ELASTICSEARCH, MAVEN, OPENSEARCH

_SEEN_BY_ALL: Final = "lib"
_HEADER: Final = (
    "# place, Maven coordinates (group:artifact:version:packaging:classifier), SHA-256\n"
)


class PinFailed(Exception):
    """Maven Central has not got what is wanted; the message is the resolver's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the jars of a program are resolved from."""

    places: Mapping[str, Sequence[str]]
    extends: Mapping[str, str]
    not_published: Sequence[str]
    unwanted: Sequence[str]


def main() -> int:
    """The exit status."""
    for program in (ELASTICSEARCH, OPENSEARCH):
        jars = pinned(read_wish(program))
        lines = sorted(f"{jar.place} {jar.coordinates} {jar.sha256}\n" for jar in jars)
        (program.module / LOCK).write_text(_HEADER + "".join(lines))
    return 0


def read_wish(program: JavaProgram) -> Wish:
    """What the file beside the folder of the program says."""
    text = program.module.with_name(f"{program.module.name}.toml").read_text()
    return Wish(**tomllib.loads(text))


def pinned(wish: Wish) -> list[Jar]:
    """The jars of all places, none of which is in a place that is seen from there as well."""
    resolved = {place: _resolve(wanted, wish) for place, wanted in wish.places.items()}
    chosen = [
        (place, coordinates)
        for place, needed in resolved.items()
        for coordinates in _not_seen_elsewhere(place, needed, resolved, wish)
    ]
    paths = _ask("fetch", [coordinates for _, coordinates in chosen])
    return [
        Jar(
            place=place,
            coordinates=coordinates,
            sha256=hashlib.sha256(Path(path).read_bytes()).hexdigest(),
        )
        for (place, coordinates), path in zip(chosen, paths, strict=True)
    ]


def _resolve(wanted: Iterable[str], wish: Wish) -> list[str]:
    needed = _ask("resolve", [*wanted, *(f"-{each}" for each in wish.not_published)])
    return [each for each in needed if ":".join(each.split(":")[:2]) not in wish.unwanted]


def _not_seen_elsewhere(
    place: str, needed: list[str], resolved: Mapping[str, list[str]], wish: Wish
) -> list[str]:
    if place == _SEEN_BY_ALL:
        return needed
    seen = [*resolved[_SEEN_BY_ALL], *resolved.get(wish.extends.get(place, ""), ())]
    artifacts = {each.split(":")[1] for each in seen}
    return [each for each in needed if each.split(":")[1] not in artifacts]


def _ask(command: str, lines: Iterable[str]) -> list[str]:
    done = run_maven(MAVEN, command, lines)
    if done.returncode:
        raise PinFailed(done.stderr)
    return done.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
