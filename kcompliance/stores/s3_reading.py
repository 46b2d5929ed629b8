"""Reading an object of S3, to its end although responses break off."""

from collections.abc import Iterator
from typing import Any, Final

from botocore.exceptions import HTTPClientError, IncompleteReadError, ResponseStreamingError

from kcompliance.model.digest import Sha256, parse_sha256
from kcompliance.stores.content import PIECE
from kcompliance.stores.interface import Damaged, StoreError, Unreachable
from kcompliance.stores.retrying import pause
from kcompliance.stores.s3_faults import code_of, faults

__all__ = ["SHA256_NAME", "Reading"]

SHA256_NAME: Final = "kcompliance-sha256"
"""The metadata in which an object carries the digest that its writer saw."""
_BROKEN_OFF: Final = (HTTPClientError, IncompleteReadError, ResponseStreamingError)


class Reading:
    """The bytes of an object or of a part of it, resumed where a response breaks off."""

    def __init__(
        self,
        *,
        client: Any,
        where: dict[str, Any],
        what: str,
        start: int,
        end: int | None,
        tries: int,
    ) -> None:
        self._client = client
        self._where = where
        self._what = what
        self._position = start
        self._end = end
        self._tries = tries
        self.sha256: Sha256 | None = None
        """What was put, as far as its writer recorded it; known after the first piece."""

    def __iter__(self) -> Iterator[bytes]:
        broken_off = 0
        while (answer := self._asked()) is not None:
            start = self._position
            body = answer["Body"]
            try:
                for piece in body.iter_chunks(PIECE):
                    self._position += len(piece)
                    yield piece
            except _BROKEN_OFF as error:
                # Where something arrived, as much as a large object needs; else a few times.
                broken_off = 0 if self._position > start else broken_off + 1
                if broken_off >= self._tries:
                    raise Unreachable(
                        f"the response breaks off: {self._what}", "look at the network"
                    ) from error
                pause(broken_off)
            else:
                return
            finally:
                body.close()

    def _asked(self) -> dict[str, Any] | None:
        """The response from this position on, None if the object ends before it."""
        part = {}
        if self._position or self._end is not None:
            last = "" if self._end is None else self._end - 1
            part = {"Range": f"bytes={self._position}-{last}"}
        try:
            with faults(self._what, "s3:GetObject"):
                answer: dict[str, Any] = self._client.get_object(**self._where, **part)
        except StoreError as error:
            code = code_of(error.__cause__)
            if code in {"InvalidRange", "416"}:
                return None
            if code == "PreconditionFailed":
                raise Damaged(f"changed while it was read: {self._what}") from error
            raise
        # What follows is to be a part of the same object, whatever has been put meanwhile.
        self._where["IfMatch"] = answer["ETag"]
        if "VersionId" in answer:
            self._where["VersionId"] = answer["VersionId"]
        self.sha256 = parse_sha256(answer.get("Metadata", {}).get(SHA256_NAME, ""))
        return answer
