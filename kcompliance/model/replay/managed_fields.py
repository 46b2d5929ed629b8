"""How many bytes of a body are its managedFields, which a policy can leave out.

Source: k8s.io/apiserver `pkg/audit/request.go`, `copyWithoutManagedFields`: of an object, of the
items of a list, of the rows of a Table. A patch is recorded as it was sent.
"""

import msgspec

__all__ = ["managed_fields_in"]


class _Metadata(msgspec.Struct):
    managedFields: msgspec.Raw = msgspec.Raw()


class _Object(msgspec.Struct):
    metadata: msgspec.Raw = msgspec.Raw()


class _TableRow(msgspec.Struct):
    object: _Object | None = None


class _Body(msgspec.Struct):
    metadata: msgspec.Raw = msgspec.Raw()
    items: list[_Object] | None = None
    rows: list[_TableRow] | None = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_metadata = msgspec.json.Decoder(_Metadata).decode
_NAME = len('"managedFields":')


def managed_fields_in(body: msgspec.Raw | bytes) -> int:
    """Bytes that the body, which is compact JSON, is shorter by without them."""
    try:
        found = _decode_body(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
    holders = [found.metadata]
    holders += [each.metadata for each in found.items or ()]
    holders += [row.object.metadata for row in found.rows or () if row.object is not None]
    return sum(_in_metadata(metadata) for metadata in holders)


def _in_metadata(metadata: msgspec.Raw) -> int:
    if not len(metadata):
        return 0
    try:
        value = len(_decode_metadata(metadata).managedFields)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
    if not value:
        return 0
    alone = len(metadata) <= _NAME + value + len("{}")
    return _NAME + value + (0 if alone else len(","))
