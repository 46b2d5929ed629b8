"""JSON pointers (RFC 6901), with which redactions say where something was taken out."""

__all__ = ["pointer_part"]


def pointer_part(name: str) -> str:
    """A name as it stands between two slashes of a pointer."""
    return name.replace("~", "~0").replace("/", "~1")
