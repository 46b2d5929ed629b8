"""Which time of a stream is archived, by its window records alone."""

from typing import Any

from tests.independent.words import moment

__all__ = ["holes"]


def holes(windows: list[dict[str, Any]]) -> list[str]:
    """What is not covered, or twice, of one stream."""
    groups: dict[tuple[Any, Any], list[dict[str, Any]]] = {}
    files: dict[str, list[tuple[int, int]]] = {}
    for window in windows:
        of_files = [part for part in window["partitions"] if "file" in part]
        for part in of_files:
            files.setdefault(part["file"], [(0, 0)]).append((part["start"], part["end"]))
        if not of_files:
            groups.setdefault((window["from"], window["to"]), []).append(window)
    found = [hole for group in groups.values() for hole in _revisions(group)]
    times = [(moment(start), moment(end)) for start, end in groups if start is not None]
    found += _tiles(sorted(times))
    for ranges in files.values():
        found += _tiles(sorted(ranges))
    return found


def _revisions(group: list[dict[str, Any]]) -> list[str]:
    name = f"{group[0]['from']} to {group[0]['to']}"
    found = []
    numbers = sorted(window["rev"] for window in group)
    if len(set(numbers)) != len(numbers):
        found.append(f"{name}: a revision twice")
    if len(set(numbers)) != numbers[-1] + 1:
        found.append(f"{name}: a revision is lost")
    if any(
        window["status"] == "source-missing" for window in group if window["rev"] == numbers[-1]
    ):
        found.append(f"{name}: its source was gone")
    return found


def _tiles(places: list[tuple[Any, Any]]) -> list[str]:
    found = []
    reach = places[0][0] if places else None
    for start, end in places:
        if start != reach:
            found.append(f"a hole or an overlap between {reach} and {start}")
        reach = max(reach, end)
    return found
