"""`kcompliance keys new`, `show`, `rotate` and `revoke`."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kcompliance import __version__
from kcompliance.cli.actor import default_actor
from kcompliance.cli.archive_reading import moment, note_untrusted, opened_catalogue, tell_faults
from kcompliance.cli.command_config import CommandConfig
from kcompliance.cli.passphrase import (
    NEW_KEY_VARIABLE,
    VARIABLE,
    new_passphrase,
    passphrase_for,
)
from kcompliance.cli.store_options import (
    ArchiveArgument,
    StoreEndpoint,
    StoreRegion,
    TrustOption,
    open_archive_store,
    store_options,
    trust_of,
)
from kcompliance.cli.terminal import note, put
from kcompliance.errors import UsageError

if TYPE_CHECKING:
    from kcompliance.archive.catalogue import Catalogue
    from kcompliance.archive.key_change import KeyChange
    from kcompliance.archive.key_files import KeyKind
    from kcompliance.archive.log import LogEnd
    from kcompliance.ledger import Trust, TrustedKey, VerifierKey
    from kcompliance.ledger.note import PrivateKey, PublicKey

__all__ = ["app", "default_actor"]

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Make the keys that sign an archive, and change them.",
)

_KeyOption = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="KEY",
        help="A key that the archive trusts now.",
        envvar="KCOMPLIANCE_KEY",
        show_default=False,
    ),
]
_WriteTrust = Annotated[
    Path | None,
    typer.Option(
        "--write-trust",
        metavar="FILE",
        help="This archive's trust file: read as --trust, then given the new keys and pin.",
        envvar="KCOMPLIANCE_WRITE_TRUST",
        dir_okay=False,
    ),
]
_Actor = Annotated[
    str | None,
    typer.Option(
        help="Who does this, for the record; else the user and the machine.",
        envvar="KCOMPLIANCE_ACTOR",
        show_default=False,
    ),
]


# --- new -------------------------------------------------------------------------------------


@app.command()
def new(
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="KEY",
            help="Write KEY and KEY.pub; neither may be there yet.",
            show_default=False,
        ),
    ],
    kind: Annotated[
        str, typer.Option("--type", metavar="ed25519|ecdsa-p256", help="Kind of the key.")
    ] = "ed25519",
    no_passphrase: Annotated[
        bool,
        typer.Option("--no-passphrase", help="Leave the key file unencrypted."),
    ] = False,
) -> None:
    """Make a key that signs the checkpoints of an archive.

    The passphrase is asked for, or taken from KCOMPLIANCE_KEY_PASSPHRASE.

    Examples:

      kcompliance keys new --out archive.key

      kcompliance keys new --out archive.key --type ecdsa-p256 --no-passphrase

    Exit codes: 0 made, 2 usage, 4 it could not be written.
    """
    from kcompliance.archive.key_files import fingerprint, new_key, public_path, write_key

    chosen = _kind(kind)
    for path in (out, public_path(out)):
        if os.path.lexists(path):  # before anybody is asked for a passphrase
            raise UsageError(f'"{path}" is there already', "a key is never overwritten")
    passphrase = None if no_passphrase else new_passphrase(str(out))
    key = new_key(chosen)
    public = write_key(out, key, passphrase)
    encrypted = "not encrypted: who reads it can sign" if no_passphrase else "encrypted"
    put(
        f"private key  {_shown(out)}  ({chosen.value}, {encrypted})\n"
        f"public key   {_shown(public)}\n"
        f"fingerprint  sha256:{fingerprint(key.public_key())}\n"
        "\n"
        "Keep the private key away from the archive: who can write there must not hold it.\n"
        "Make the archive, and with it the trust file:\n"
        f"  kcompliance archive run ARCHIVE --key {_shown(out)} --write-trust trust.toml …\n"
        "Give auditors the trust file, and the fingerprint on another way. They compare it with:\n"
        f"  openssl pkey -pubin -in {_shown(public)} -outform DER | sha256sum\n"
    )


def _kind(text: str) -> "KeyKind":
    from kcompliance.archive.key_files import KeyKind

    try:
        return KeyKind(text)
    except ValueError:
        known = " or ".join(KeyKind)
        raise UsageError(f'--type "{text}" is no kind of key', f"it is {known}") from None


# --- show ------------------------------------------------------------------------------------


@app.command()
def show(
    place: Annotated[
        str,
        typer.Argument(
            metavar="KEY|ARCHIVE", help="A key file, or an archive.", show_default=False
        ),
    ],
    origin: Annotated[
        str | None,
        typer.Option(
            help="Of a key file: the archive's origin, kcompliance/ID, for its verifier key.",
        ),
    ] = None,
    trust: TrustOption = None,
    endpoint: StoreEndpoint = None,
    region: StoreRegion = None,
    config: CommandConfig = None,
) -> None:
    """Show a key's fingerprint, or the keys of an archive as verifier keys.

    Examples:

      kcompliance keys show archive.key.pub

      kcompliance keys show s3://audit-archive/prod --trust trust.toml

    Exit codes: 0 shown, 1 the archive was tampered with, 2 usage, 3 incomplete, 4 unreadable.
    """
    from kcompliance.ledger import exit_code_of

    if "://" not in place and Path(place).is_file():
        put(_key_text(Path(place), origin))
        return
    if origin is not None:
        raise UsageError("--origin goes with a key file, and an archive has its own")
    with opened_catalogue(place, trust, endpoint, region) as (_, catalogue):
        note_untrusted(catalogue)
        tell_faults(catalogue.faults)
        put(_keys_text(catalogue))
        raise typer.Exit(exit_code_of(catalogue.faults))


def _key_text(path: Path, origin: str | None) -> str:
    from kcompliance.archive.key_files import fingerprint, kind_of
    from kcompliance.ledger import archive_id_of, verifier_key

    public = _public(path)
    text = f"type         {kind_of(public).value}\nfingerprint  sha256:{fingerprint(public)}\n"
    if origin is None:
        return text
    if archive_id_of(origin) is None:
        raise UsageError(f'--origin "{origin}" is none', "it is kcompliance/ and the archive's id")
    return f"{text}vkey         {verifier_key(origin, public)}\n"


def _public(path: Path) -> "PublicKey":
    """Of a public or a private key file."""
    from kcompliance.archive.key_files import KeyFileError, load_key, load_public_key

    try:
        return load_public_key(path)
    except KeyFileError as error:
        if "private key" not in error.message:
            raise
    return load_key(path, passphrase_for(str(path))).private.public_key()


def _keys_text(catalogue: "Catalogue") -> str:
    from kcompliance.report.printable import printable

    size = catalogue.end.checkpoint.checkpoint.size
    parts = [f"{catalogue.origin}, {size} records\n"]
    for each in catalogue.end.keys.keys:
        state = _state(catalogue, each, size)
        parts.append(
            f"\n{state}\n"
            f"  vkey         {each.key}\n"
            f"  fingerprint  sha256:{_fingerprint(each.key)}\n"
        )
    return printable("".join(parts))


def _state(catalogue: "Catalogue", key: "TrustedKey", size: int) -> str:
    id_ = key.key.id.hex()
    for revoked in catalogue.revocations:
        if revoked.vkey == key.key:
            since = (
                f", compromised since {revoked.compromised:%Y-%m-%dT%H:%M:%SZ}"
                if revoked.compromised
                else ""
            )
            return f"{id_}: revoked {revoked.time:%Y-%m-%d}{since}: {revoked.reason}"
    if key.may_sign(size + 1):
        return f"{id_}: may sign, from size {key.from_size}"
    return f"{id_}: replaced; signed the sizes {key.from_size} to {(key.to_size or 1) - 1}"


def _fingerprint(key: "VerifierKey") -> str:
    from kcompliance.archive.key_files import fingerprint, public_key_of

    return fingerprint(public_key_of(key))


# --- rotate and revoke -----------------------------------------------------------------------


@app.command()
def rotate(
    archive: ArchiveArgument,
    key: _KeyOption,
    new_key: Annotated[
        str,
        typer.Option(
            "--new-key", metavar="NEW", help="The key that signs from now on.", show_default=False
        ),
    ],
    keep_old: Annotated[
        bool,
        typer.Option("--keep-old", help="Let the old key go on signing beside the new one."),
    ] = False,
    trust: TrustOption = None,
    write_trust: _WriteTrust = None,
    actor: _Actor = None,
    endpoint: StoreEndpoint = None,
    region: StoreRegion = None,
    config: CommandConfig = None,
) -> None:
    """Let a new key sign an archive, in the place of the old one; both sign for that.

    Passphrases: of the old key KCOMPLIANCE_KEY_PASSPHRASE, of the new one
    KCOMPLIANCE_NEW_KEY_PASSPHRASE, where they are not asked for.

    Examples:

      kcompliance keys rotate s3://audit-archive/prod --key old.key --new-key new.key --trust t.toml

      kcompliance keys rotate ./archive --key a.key --new-key b.key --keep-old --write-trust t.toml

    Exit codes: 0 committed, 1 the archive was tampered with, 2 usage, 4 it could not be done.
    """
    from kcompliance.archive.key_change import rotate_key

    change, known = _change(trust, write_trust, actor, archive, endpoint, region)
    old = _private(key, VARIABLE)
    new = _private(new_key, NEW_KEY_VARIABLE, VARIABLE)
    end = rotate_key(change, old, new, keep_old=keep_old)
    word = "may sign too" if keep_old else "signs from now on"
    _tell(end, f"the key {_id(end.origin, new)} {word}", known, write_trust)


@app.command()
def revoke(
    archive: ArchiveArgument,
    key: _KeyOption,
    revoked: Annotated[
        str,
        typer.Option(
            "--revoke",
            metavar="VKEY|KEY.pub",
            help="The key that must not sign any more.",
            show_default=False,
        ),
    ],
    reason: Annotated[
        str, typer.Option(help="Why, in a sentence, for the record.", show_default=False)
    ],
    compromised: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Since when others may have held it (RFC 3339).",
        ),
    ] = None,
    trust: TrustOption = None,
    write_trust: _WriteTrust = None,
    actor: _Actor = None,
    endpoint: StoreEndpoint = None,
    region: StoreRegion = None,
    config: CommandConfig = None,
) -> None:
    """Take a key's right to sign an archive; a remaining key signs for that.

    What the revoked key signed before stays good, unless it was compromised and nothing outside
    the archive can date it.

    Examples:

      kcompliance keys revoke s3://audit-archive/prod --key b.key --revoke a.key.pub \\
        --compromised 2026-07-01T00:00:00Z --reason "laptop stolen" --trust trust.toml

    Exit codes: 0 committed, 1 the archive was tampered with, 2 usage, 4 it could not be done.
    """
    from kcompliance.archive.key_change import revoke_key

    since = moment("--compromised", compromised)
    change, known = _change(trust, write_trust, actor, archive, endpoint, region)
    named = _named_key(revoked)
    end = revoke_key(change, _private(key, VARIABLE), named, compromised=since, reason=reason)
    _tell(end, "the key is revoked: it signs no later checkpoint", known, write_trust)


def _change(
    trust: Path | None,
    write_trust: Path | None,
    actor: str | None,
    archive: str,
    endpoint: str | None,
    region: str | None,
) -> "tuple[KeyChange, Trust | None]":
    """Who changes what, and what the trust file to be written says."""
    from dataclasses import replace

    from kcompliance.archive.key_change import KeyChange

    written = trust_of(write_trust)
    known = trust_of(trust) if trust is not None else written
    if known is not None and written is not None and known.origin != written.origin:
        raise UsageError(
            f'"{trust}" and "{write_trust}" are of two archives',
            f"{known.origin} and {written.origin}",
        )
    options = store_options(endpoint, region)
    change = KeyChange(
        open_store=lambda mode: open_archive_store(archive, replace(options, lock_mode=mode)),
        trust=known,
        actor=actor or default_actor(),
        tool=f"kcompliance/{__version__}",
        clock=lambda: datetime.now(UTC),
    )
    return change, written


def _private(place: str, *variables: str) -> "PrivateKey":
    from kcompliance.archive.key_files import key_at

    loaded = key_at(place, passphrase_for(place, *variables))
    for warning in loaded.warnings:
        note(f"warning: {warning}")
    return loaded.private


def _named_key(text: str) -> "PublicKey | VerifierKey":
    from kcompliance.archive.key_files import load_public_key
    from kcompliance.ledger import Refused, parse_vkey

    if Path(text).is_file() or "+" not in text:
        return load_public_key(Path(text))
    key = parse_vkey(text)
    if isinstance(key, Refused):
        raise UsageError(f'--revoke "{text}" is no verifier key: {key.reason}')
    return key


def _id(origin: str, key: "PrivateKey") -> str:
    from kcompliance.ledger import verifier_key

    return verifier_key(origin, key.public_key()).id.hex()


def _tell(end: "LogEnd", done: str, known: "Trust | None", write_trust: Path | None) -> None:
    from kcompliance.archive.trust_files import move_pin, update_keys

    checkpoint = end.checkpoint.checkpoint
    put(
        f"{done}\n"
        f"commit {end.number}: size {checkpoint.size}, root {checkpoint.root.hex()}\n"
        + "".join(
            f"vkey {each.key}\n" for each in end.keys.keys if each.may_sign(checkpoint.size + 1)
        )
    )
    if write_trust is not None and known is not None:
        others = [each for each in known.keys if all(each.key != k.key for k in end.keys.keys)]
        known = update_keys(write_trust, known, [*end.keys.keys, *others])
        move_pin(write_trust, known, checkpoint.size, checkpoint.root)
        note(f'"{write_trust}" has the new keys and the pin; give it to who verifies')
    else:
        note("give who verifies the vkey above and this size and root as the new pin")


def _shown(path: Path) -> str:
    from kcompliance.report.printable import printable

    return printable(str(path))
