"""Asks for the passphrase of a key file: in the environment, else at the terminal."""

import os
import sys
from typing import TYPE_CHECKING

import typer

from kcompliance.errors import UsageError

if TYPE_CHECKING:
    from kcompliance.archive.key_files import Passphrase

__all__ = ["NEW_KEY_VARIABLE", "VARIABLE", "new_passphrase", "passphrase_for"]

VARIABLE = "KCOMPLIANCE_KEY_PASSPHRASE"
NEW_KEY_VARIABLE = "KCOMPLIANCE_NEW_KEY_PASSPHRASE"
"""Of the second key, where a command takes two; without it the first one's is tried."""


def passphrase_for(place: str, *variables: str) -> "Passphrase":
    """Asks only when it is called: which is when the key turns out to be encrypted.

    A variable that is set is used without asking, so that a script does not wait for a human. The
    passphrase is never an option: those stand in the list of processes.
    """

    def ask() -> bytes:
        for variable in variables or (VARIABLE,):
            if value := os.environ.get(variable):
                return os.fsencode(value)
        if not sys.stdin.isatty():
            raise UsageError(
                f'the key "{place}" is encrypted, and nobody can be asked for its passphrase',
                f"set {VARIABLE}, or run it at a terminal",
            )
        return _prompt(f"Passphrase of {place}", twice=False)

    return ask


def new_passphrase(place: str) -> bytes:
    """For a key that is being made: asked twice at a terminal, and long enough."""
    from kcompliance.archive.key_files import MIN_PASSPHRASE_BYTES

    value = os.environ.get(VARIABLE)
    if value:
        passphrase = os.fsencode(value)
    elif sys.stdin.isatty():
        passphrase = _prompt(f"New passphrase of {place}", twice=True)
    else:
        raise UsageError(
            f'no passphrase for the new key "{place}"',
            f"set {VARIABLE}, or run it at a terminal, or say --no-passphrase",
        )
    if len(passphrase) < MIN_PASSPHRASE_BYTES:
        raise UsageError(
            f"the passphrase is shorter than {MIN_PASSPHRASE_BYTES} bytes",
            "several words are best: they are all that protects a stolen key file",
        )
    return passphrase


def _prompt(text: str, *, twice: bool) -> bytes:
    answer: str = typer.prompt(text, hide_input=True, confirmation_prompt=twice, err=True)
    return os.fsencode(answer)
