"""Whatever is changed in an archive, its verification is no longer good; and copies are equal."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest

from kcompliance.archive.verify import Request, Verification, verify
from kcompliance.errors import ExitCode
from kcompliance.stores.interface import Store
from kcompliance.stores.memory import MemoryStore
from tests.archive.building import Builder, Objects, built, objects_of, store_of, stream_record
from tests.contracts.places import KINDS, Place, open_place


@cache
def small() -> Builder:
    builder = Builder(store=MemoryStore())
    builder.commit(stream_record(), builder.metadata())
    builder.archive(0, docs=3)
    return builder


OBJECTS: Objects = objects_of(small().store)
KEYS = sorted(OBJECTS)


def verified(objects: Objects, builder: Builder, store: Store | None = None) -> Verification:
    request = Request(trust=builder.trust(), as_of=builder.as_of)
    return verify(store_of(objects, store), request, threads=1)


def is_found(objects: Objects) -> bool:
    found = verified(objects, small())
    assert bool(found.causes) == bool(found.findings)
    return found.exit_code is ExitCode.FINDINGS


def test_the_archive_as_it_is_is_good() -> None:
    assert verified(OBJECTS, small()).findings == ()


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:22])
def test_every_changed_byte_is_found(key: str) -> None:
    data = OBJECTS[key]
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        assert is_found({**OBJECTS, key: bytes(changed)}), place


@pytest.mark.long
@pytest.mark.parametrize("bit", range(8))
@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:22])
def test_every_flipped_bit_is_found(key: str, bit: int) -> None:
    data = OBJECTS[key]
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1 << bit
        assert is_found({**OBJECTS, key: bytes(changed)}), place


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:22])
def test_every_cut_and_every_appended_byte_is_found(key: str) -> None:
    data = OBJECTS[key]
    for cut in {0, 1, len(data) // 2, len(data) - 1}:
        assert is_found({**OBJECTS, key: data[:cut]}), cut
    for more in (b"\0", b"\n", b"x", data):
        assert is_found({**OBJECTS, key: data + more}), more


def test_every_deleted_object_is_found() -> None:
    for key in KEYS:
        assert is_found({other: OBJECTS[other] for other in KEYS if other != key}), key


def test_every_swap_of_two_objects_is_found() -> None:
    for one, other in itertools.combinations(KEYS, 2):
        assert OBJECTS[one] != OBJECTS[other]
        swapped = {**OBJECTS, one: OBJECTS[other], other: OBJECTS[one]}
        assert is_found(swapped), (one, other)


def test_every_object_in_the_place_of_another_is_found() -> None:
    for one, other in itertools.permutations(KEYS, 2):
        assert is_found({**OBJECTS, one: OBJECTS[other]}), (one, other)


def test_every_renamed_object_is_found() -> None:
    for key in KEYS:
        for name in (f"{key}x", f"x{key}", key.replace("0", "1")):
            objects = {name if other == key else other: data for other, data in OBJECTS.items()}
            assert name == key or is_found(objects), name


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    yield from open_place(request.param, request)


def test_a_copy_anywhere_is_verified_alike(place: Place) -> None:
    builder = built()
    original = verified(objects_of(builder.store), builder)

    copy = verified(objects_of(builder.store), builder, place.open())

    assert replace(copy, archive=original.archive) == original
    assert copy.exit_code is ExitCode.GOOD


def test_a_spoiled_copy_anywhere_is_verified_alike(place: Place) -> None:
    builder = built()
    objects = objects_of(builder.store)
    segment, other = builder.made
    del objects[segment.key]
    objects[other.key] = objects[other.key][:-1] + b"x"
    original = verified(objects, builder)

    copy = verified(objects, builder, place.open())

    assert replace(copy, archive=original.archive) == original
    assert copy.exit_code is ExitCode.FINDINGS
