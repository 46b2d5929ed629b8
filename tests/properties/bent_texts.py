"""Texts of people with small accidents: lines lost, doubled, moved, and characters gone astray."""

import random

from tests.properties.policy_generator import EDITS, SCALARS

__all__ = ["bent"]

_PIECES = [*"-:?[]{},#&*!|>'\"%@`\n\t \\\r\x85\u2028\u00a0", *EDITS, *SCALARS]
_LONGEST = 2_000
"""Characters; beyond, most accidents would happen where they change nothing."""


def bent(text: str, rng: random.Random) -> str:
    """The beginning of the text after one to three accidents."""
    text = text[:_LONGEST].rpartition("\n")[0] if len(text) > _LONGEST else text
    for _ in range(rng.choice([1, 1, 2, 3])):
        text = _with_lines_bent(text, rng) if rng.random() < 0.6 else _with_piece(text, rng)
    return text


def _with_lines_bent(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(6):
        case 0:
            del lines[one]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            lines[one], lines[other] = lines[other], lines[one]
        case 3:
            lines[one] = " " * rng.randrange(4) + lines[one]
        case 4:
            lines[one] = lines[one][rng.randrange(4) :]
        case _:
            lines[one] += rng.choice(_PIECES)
    return "\n".join(lines)


def _with_piece(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text) + 1)
    inserted: str = rng.choice(["", *rng.choices(_PIECES, k=2)])
    cut: int = rng.choice([0, 0, 1, 2, 4])
    return text[:at] + inserted + text[at + cut :]
