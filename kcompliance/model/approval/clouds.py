"""What the owner of a cluster decides of its trail where a provider runs the API server.

Of AKS those are the diagnostic settings that ship logs, of EKS the logging of its control plane
and what is passed on from its log group. All have one form: a name, which logs, to where.
"""

from collections.abc import Iterator, Mapping

from kcompliance.model.approval.part import Part

__all__ = ["ApprovedCloudV1", "ApprovedShippingV1", "changed_destinations", "changed_logs"]


class ApprovedShippingV1(Part, frozen=True):
    """One setting by which logs leave; `logs` are empty where it passes on what another ships."""

    name: str
    logs: tuple[str, ...]
    destinations: tuple[str, ...]


class ApprovedCloudV1(Part, frozen=True):
    """All of them of one cluster; `id` is that of ARM in lower case, or an ARN."""

    id: str
    settings: tuple[ApprovedShippingV1, ...]

    def problem(self) -> str | None:
        """Why this does not hold together."""
        names = [each.name for each in self.settings]
        return (
            f"a setting of {self.id} stands there twice" if len(set(names)) < len(names) else None
        )


def changed_logs(before: ApprovedCloudV1, now: ApprovedCloudV1) -> Iterator[str]:
    """What became of the logs, such as `audit: kube-audit is no longer shipped`."""
    yield from _changed(
        {each.name: each.logs for each in before.settings if each.logs},
        {each.name: each.logs for each in now.settings if each.logs},
        ("is no longer shipped", "is shipped, and was not"),
    )


def changed_destinations(before: ApprovedCloudV1, now: ApprovedCloudV1) -> Iterator[str]:
    """What became of the places where they go to, such as `audit: workspace a → workspace b`."""
    yield from _changed(
        {each.name: each.destinations for each in before.settings},
        {each.name: each.destinations for each in now.settings},
        ("gets nothing any more", "gets it, and did not"),
    )


_Named = Mapping[str, tuple[str, ...]]


def _changed(before: _Named, now: _Named, words: tuple[str, str]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        was, is_ = set(before.get(name, ())), set(now.get(name, ()))
        gone, new = sorted(was - is_), sorted(is_ - was)
        if len(gone) == len(new) == 1:
            yield f"{name}: {gone[0]} → {new[0]}"
            continue
        yield from (f"{name}: {each} {words[0]}" for each in gone)
        yield from (f"{name}: {each} {words[1]}" for each in new)
