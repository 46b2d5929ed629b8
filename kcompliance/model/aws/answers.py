"""Finds the answer to a question of AWS among the captures of a cluster, and reads its fields.

A collected answer tells in its origin what was asked: `TARGET SERVICE:OPERATION SUBJECT`. Plain
output of the aws command often names nothing (`get-bucket-versioning` prints a status only). Such
a file belongs to what its own name says, `get-bucket-versioning.BUCKET.json`, or to what its
folder is called, `BUCKET/get-bucket-versioning.json`.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, TypeVar

from kcompliance.model.cluster import Cluster, NotAsked
from kcompliance.model.documents import Malformed, Unsure, read_documents
from kcompliance.model.moment import moment as from_milliseconds
from kcompliance.model.reading import Kind, Origin, Raw, Reading, Seen, Unreadable

__all__ = [
    "COLLECTOR",
    "Answer",
    "Fields",
    "WrongAnswer",
    "answers",
    "ask",
    "embedded",
    "flag",
    "items",
    "mapping",
    "mappings",
    "milliseconds",
    "moment",
    "needed",
    "number",
    "read_answer",
    "subject_of",
    "text",
]

T = TypeVar("T")

Fields: TypeAlias = Mapping[str, Any]
"""A JSON object of an answer, hostile: no field can be relied on to have its type."""
Answer: TypeAlias = Reading[T] | NotAsked

COLLECTOR: Final = "aws"


class WrongAnswer(ValueError):
    """A field has another type than the service documents: nothing can be made of the answer."""


# --- fields ----------------------------------------------------------------------------------


def text(value: Fields, name: str) -> str | None:
    """A text; None where it is not there. Raises WrongAnswer."""
    return _typed(value, name, str)


def number(value: Fields, name: str) -> int | None:
    """A whole number; None where it is not there. Raises WrongAnswer."""
    found = value.get(name)
    if isinstance(found, bool):
        raise WrongAnswer(f"{name} is not a number")
    return _typed(value, name, int)


def flag(value: Fields, name: str) -> bool | None:
    """True or false; None where it is not there. Raises WrongAnswer."""
    return _typed(value, name, bool)


def mapping(value: Fields, name: str) -> Fields:
    """An object; an empty one where it is not there. Raises WrongAnswer."""
    return _typed(value, name, dict) or {}


def items(value: Fields, name: str) -> tuple[Any, ...]:
    """A list; an empty one where it is not there. Raises WrongAnswer."""
    return tuple(_typed(value, name, list) or ())


def mappings(value: Fields, name: str) -> tuple[Fields, ...]:
    """A list of objects; an empty one where it is not there. Raises WrongAnswer."""
    found = items(value, name)
    if not all(isinstance(item, dict) for item in found):
        raise WrongAnswer(f"{name} is not a list of objects")
    return found


def moment(value: Fields, name: str) -> datetime | None:
    """A time, as text (ISO 8601) or as seconds since 1970; aware, UTC. Raises WrongAnswer."""
    found = value.get(name)
    if found is None:
        return None
    try:
        if isinstance(found, int | float) and not isinstance(found, bool):
            return datetime.fromtimestamp(found, UTC)
        read = datetime.fromisoformat(found)
    except (TypeError, ValueError, OverflowError, OSError):
        raise WrongAnswer(f"{name} is not a time") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)


def milliseconds(value: Fields, name: str) -> datetime | None:
    """A time as milliseconds since 1970; aware, UTC. Raises WrongAnswer."""
    found = number(value, name)
    if found is None:
        return None
    return needed(from_milliseconds(found), f"{name} that is a time")


def needed(found: T | None, name: str) -> T:
    """What must be there. Raises WrongAnswer."""
    if found is None:
        raise WrongAnswer(f"it has no {name}")
    return found


def embedded(value: Fields, name: str) -> Fields | None:
    """A JSON object, or one that is written as text, as policies are. Raises WrongAnswer."""
    found = value.get(name)
    if isinstance(found, str):
        try:
            documents = read_documents(found.encode())
        except (Malformed, Unsure) as error:
            raise WrongAnswer(f"{name} cannot be read: {error}") from None
        found = documents[0] if documents else None
    if found is not None and not isinstance(found, dict):
        raise WrongAnswer(f"{name} is not a JSON object")
    return found


def _typed(value: Fields, name: str, type_: type[T]) -> T | None:
    found = value.get(name)
    if found is None or isinstance(found, type_):
        return found
    raise WrongAnswer(f"{name} is not what the service documents")


# --- answers ---------------------------------------------------------------------------------


def read_answer(raw: Raw, read: Callable[[Fields], T]) -> Seen[T] | Unreadable:
    """What an answer says; unreadable where it is none of the kind that it should be."""
    try:
        documents = read_documents(raw.content)
        if len(documents) == 1 and isinstance(documents[0], dict):
            return Seen(value=read(documents[0]), raw=raw)
        reason = "it is not one JSON object"
    except (Malformed, Unsure, WrongAnswer) as error:
        reason = str(error)
    return Unreadable(origin=raw.origin, reason=f"could not be read: {reason}")


def answers(
    cluster: Cluster, kind: Kind, read: Callable[[Fields], T]
) -> tuple[tuple[Seen[T], ...], tuple[Unreadable, ...]]:
    """All answers of a kind whatever they are about, and all that could not be read of it."""
    found = [read_answer(raw, read) for raw in cluster.texts.get(kind, ())]
    gaps = [gap for gap in cluster.gaps if gap.origin.kind is kind]
    seen = tuple(each for each in found if isinstance(each, Seen))
    return seen, (*gaps, *(each for each in found if isinstance(each, Unreadable)))


def ask(cluster: Cluster, kind: Kind, subject: str, read: Callable[[Fields], T]) -> Answer[T]:
    """The one answer about this subject; two that differ are as good as none."""
    raws = [r for r in cluster.texts.get(kind, ()) if subject_of(r.origin) == subject]
    gaps = [g for g in cluster.gaps if g.origin.kind is kind and _may_be_about(g.origin, subject)]
    if gaps:
        return gaps[0]
    if raws:
        first = min(raws, key=lambda raw: raw.origin.resource)
        if any(raw.content != first.content for raw in raws):
            return Unreadable(origin=first.origin, reason="a second answer says something else")
        return read_answer(first, read)
    for absent in cluster.absents:
        if absent.origin.kind is kind and subject_of(absent.origin) == subject:
            return absent
    return NotAsked()


def _may_be_about(origin: Origin, subject: str) -> bool:
    return subject_of(origin) in (subject, None)


_FILE: Final = re.compile(r"(?:(?P<folder>[^/\\]+)[/\\])?(?P<command>[a-z0-9-]+)(?P<name>\..+)?$")


def subject_of(origin: Origin) -> str | None:
    """What an answer is about, by its origin; None where that does not tell."""
    if origin.collector == COLLECTOR:
        return origin.resource.rsplit(" ", 1)[-1]
    found = _FILE.search(re.sub(r"\.(json|ya?ml|txt)$", "", origin.resource))
    if found is None:
        return None
    name = found["name"]
    return name.removeprefix(".") if name else found["folder"]
