"""Trust files: read strictly, written back the same."""

from datetime import timedelta

import pytest

from kcompliance.ledger import (
    ExpectedStream,
    Period,
    Pin,
    Refused,
    Require,
    Trust,
    TrustedKey,
    format_trust,
    origin_of,
    parse_trust,
)
from tests.ledger.samples import NEXT_SIGNER, ORIGIN, OTHER_ID, SIGNER, STREAM, ed25519_signer

KEY = f'[[key]]\nvkey = "{SIGNER.key}"\n'
SHORT = f'origin = "{ORIGIN}"\n{KEY}'
FULL = f"""origin = "{ORIGIN}"

[[key]]
vkey = "{SIGNER.key}"
from_size = 0
to_size = 1235

[[key]]
vkey = "{NEXT_SIGNER.key}"
from_size = 1234

[pin]
size = 99
root = "{"ab" * 32}"

[require]
outside = 2
max_age = "26h"
min_retention = "2y"

[[stream]]
name = "prod/k8s-audit"
cadence = "1h"

[[stream]]
name = "test/k8s-audit"

[[tsa]]
name = "one"
roots = ["pem"]

[[witness]]
vkey = "w+12345678+BA"
weight = 1.5
"""
TRUST = Trust(
    origin=ORIGIN,
    keys=(
        TrustedKey(key=SIGNER.key, to_size=1235),
        TrustedKey(key=NEXT_SIGNER.key, from_size=1234),
    ),
    pin=Pin(size=99, root=b"\xab" * 32),
    require=Require(outside=2, max_age=timedelta(hours=26), min_retention=Period(years=2)),
    streams=(
        ExpectedStream(name=STREAM, cadence=timedelta(hours=1)),
        ExpectedStream(name=type(STREAM)("test/k8s-audit")),
    ),
    tsas=({"name": "one", "roots": ["pem"]},),
    witnesses=({"vkey": "w+12345678+BA", "weight": 1.5},),
)


def test_a_trust_file_is_read() -> None:
    assert parse_trust(FULL.encode()) == TRUST
    assert TRUST.ring.keys == TRUST.keys


def test_the_shortest_trust_file_asks_for_one_outside_memory() -> None:
    trust = parse_trust(SHORT.encode())
    assert trust == Trust(origin=ORIGIN, keys=(TrustedKey(key=SIGNER.key),))
    assert isinstance(trust, Trust)
    assert (trust.require.outside, trust.pin) == (1, None)


@pytest.mark.parametrize("text", [SHORT, FULL])
def test_what_is_written_reads_back(text: str) -> None:
    trust = parse_trust(text.encode())
    assert isinstance(trust, Trust)
    assert parse_trust(format_trust(trust)) == trust


def test_nothing_outside_can_be_asked_for_and_that_stays_so() -> None:
    trust = parse_trust(f"{SHORT}[require]\noutside = 0\n".encode())
    assert isinstance(trust, Trust)
    assert trust.require.outside == 0
    assert parse_trust(format_trust(trust)) == trust


@pytest.mark.parametrize("seconds", [1, 59, 60, 61, 3600, 3661, 86400, 90000, 10 * 86400], ids=str)
def test_durations_are_written_and_read(seconds: int) -> None:
    trust = Trust(
        origin=ORIGIN,
        keys=(TrustedKey(key=SIGNER.key),),
        require=Require(
            max_age=timedelta(seconds=seconds), min_retention=Period(days=seconds % 9 + 1)
        ),
    )
    assert parse_trust(format_trust(trust)) == trust


def test_durations_are_written_in_their_largest_unit() -> None:
    for text in ("26h", "2d", "90m", "61s"):
        trust = parse_trust(f'{SHORT}[require]\nmax_age = "{text}"\n'.encode())
        assert isinstance(trust, Trust)
        assert f'max_age = "{text}"'.encode() in format_trust(trust)


def test_a_demand_does_not_lift_another() -> None:
    trust = parse_trust(f'{SHORT}[require]\nmax_age = "1d"\n'.encode())
    assert isinstance(trust, Trust)
    assert trust.require.outside == 1


REFUSED = {
    "nothing": ("", "origin"),
    "no origin": (KEY, "origin"),
    "a foreign origin": (SHORT.replace(ORIGIN, "Rekor"), "origin"),
    "an origin that is no text": (SHORT.replace(f'"{ORIGIN}"', "7"), "origin: not a text"),
    "no key": (f'origin = "{ORIGIN}"', "key: not one"),
    "a key that is a table": (f'origin = "{ORIGIN}"\n[key]\nvkey = "{SIGNER.key}"', "key: not an"),
    "keys that are texts": (f'origin = "{ORIGIN}"\nkey = ["{SIGNER.key}"]', "key[0] is not a"),
    "a key without vkey": (SHORT.replace("vkey", "verify"), "key[0].vkey"),
    "a broken vkey": (SHORT.replace("+", "-"), "key[0].vkey"),
    "a key of another archive": (
        SHORT.replace(str(SIGNER.key), str(ed25519_signer(origin_of(OTHER_ID)).key)),
        "key[0].vkey: a key of",
    ),
    "a key twice": (SHORT + KEY, "key: one vkey"),
    "a key twice with other ranges": (SHORT + "to_size = 5\n" + KEY + "from_size = 5\n", "twice"),
    "an empty range": (SHORT + "from_size = 5\nto_size = 5\n", "key[0].to_size: not above"),
    "a range to nothing": (SHORT + "to_size = 0\n", "key[0].to_size: not above"),
    "a negative size": (SHORT + "from_size = -1\n", "key[0].from_size: not from 0"),
    "a size of 2^53": (SHORT + f"from_size = {2**53}\n", "key[0].from_size: not from 0"),
    "a size that is true": (SHORT + "from_size = true\n", "key[0].from_size: not an integer"),
    "a size that is a float": (SHORT + "from_size = 1.0\n", "key[0].from_size: not an integer"),
    "a size that is text": (SHORT + 'from_size = "1"\n', "key[0].from_size: not an integer"),
    "an unknown key of a key": (SHORT + "until = 1\n", "key[0].until: nobody knows"),
    "an unknown table": (SHORT + "[pins]\n", "pins: nobody knows"),
    "an unknown word": (f"strict = true\n{SHORT}", "strict: nobody knows"),
    "an unknown demand": (SHORT + "[require]\noutsides = 1\n", "require.outsides: nobody"),
    "no demands": (SHORT + "[[require]]\n", "require is not a table"),
    "a pin without size": (SHORT + f'[pin]\nroot = "{"ab" * 32}"\n', "pin.size"),
    "a pin of nothing": (SHORT + f'[pin]\nsize = 0\nroot = "{"ab" * 32}"\n', "pin.size"),
    "a pin without root": (SHORT + "[pin]\nsize = 1\n", "pin.root"),
    "a root in base64": (SHORT + '[pin]\nsize = 1\nroot = "qg=="\n', "pin.root"),
    "a pin that knows more": (
        SHORT + f'[pin]\nsize = 1\nroot = "{"ab" * 32}"\nn = 1\n',
        "pin.n: nobody",
    ),
    "an age without unit": (SHORT + '[require]\nmax_age = "26"\n', "require.max_age"),
    "an age of nothing": (SHORT + '[require]\nmax_age = "0s"\n', "require.max_age"),
    "an age below a second": (SHORT + '[require]\nmax_age = "1500ms"\n', "require.max_age"),
    "an age that is a number": (SHORT + "[require]\nmax_age = 26\n", "require.max_age: not a text"),
    "a period in months": (SHORT + '[require]\nmin_retention = "24m"\n', "require.min_retention"),
    "a stream of one part": (SHORT + '[[stream]]\nname = "prod"\n', "stream[0].name"),
    "a stream without name": (SHORT + '[[stream]]\ncadence = "1h"\n', "stream[0].name"),
    "a stream twice": (SHORT + '[[stream]]\nname = "a/b"\n' * 2, "stream: one name"),
    "a broken cadence": (SHORT + '[[stream]]\nname = "a/b"\ncadence = ""\n', "stream[0].cadence"),
    "a token authority that is text": (SHORT.replace("[[key", 'tsa = ["x"]\n[[key', 1), "tsa[0]"),
    "a word twice": (SHORT + "from_size = 1\nfrom_size = 1\n", "not TOML"),
    "no TOML": ("origin", "not TOML"),
    "a number of thousands of digits": (SHORT + "from_size = " + "9" * 5000, "not TOML"),
    "nested without end": ("a = " + "[" * 100_000, "nested"),
    "very long": ("#" * 1024 * 1025, "longer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_trust_file_is_refused_with_the_place(case: str) -> None:
    text, reason = REFUSED[case]
    refused = parse_trust(text.encode())
    assert isinstance(refused, Refused)
    assert reason in refused.reason


@pytest.mark.parametrize("data", [b"\xff", "origin".encode("utf-16"), b"\0"])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    assert isinstance(parse_trust(data), Refused)


@pytest.mark.parametrize(
    "trust",
    [
        Trust(origin=ORIGIN, keys=()),
        Trust(origin="Rekor", keys=TRUST.keys),
        Trust(origin=ORIGIN, keys=TRUST.keys * 2),
        Trust(origin=ORIGIN, keys=TRUST.keys, pin=Pin(size=0, root=bytes(32))),
        Trust(origin=ORIGIN, keys=TRUST.keys, pin=Pin(size=1, root=bytes(31))),
        Trust(origin=ORIGIN, keys=TRUST.keys, require=Require(max_age=timedelta(seconds=0.5))),
        Trust(origin=ORIGIN, keys=TRUST.keys, require=Require(max_age=-timedelta(seconds=1))),
    ],
    ids=range(7),
)
def test_what_could_not_be_read_back_is_never_written(trust: Trust) -> None:
    with pytest.raises(ValueError, match="cannot be a trust file"):
        format_trust(trust)
