# SPDX-License-Identifier: Apache-2.0
"""The options that say which Secure Boot keys a machine has: as files, or as the UEFI data of an AMI or an instance."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from strongroom.cli.paths import PATH, named
from strongroom.crypto.signature_lists import read_signature_lists
from strongroom.errors import UsageError
from strongroom.flows.files import read_file
from strongroom.formats.edk2_store import MAX_FILE_BYTES, parse_edk2_store
from strongroom.formats.efi import MAX_DATABASE_BYTES
from strongroom.formats.efi_variables import EfiVariables
from strongroom.formats.file_kind import FileKind, guess_kind
from strongroom.formats.uefi_data import MAX_TEXT_BYTES, read_uefi_data
from strongroom.measure.secure_boot import SecureBootKeys
from strongroom.measure.uefi_variables import keys_of_predicted_boot

_NAMES = ("pk", "kek", "db", "dbx")
_PARAMETERS = (*_NAMES, "owner", "uefi_data")
"""Of the options, as click calls them."""
_KEYS = "an .esl, an .auth, or a certificate with --owner; repeat it for several"


@dataclass(frozen=True, slots=True)
class _Given:
    """What stood on the command line."""

    pk: Sequence[Path]
    kek: Sequence[Path]
    db: Sequence[Path]
    dbx: Sequence[Path]
    owner: uuid.UUID | None
    uefi_data: Path | None


def secure_boot_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options, and its parameter `secure_boot` what they say: SecureBootKeys, or None for off."""

    @click.option("--pk", type=PATH, multiple=True, help=f"Secure Boot's platform key; turns Secure Boot on: {_KEYS}.")
    @click.option("--kek", type=PATH, multiple=True, help="Its key exchange keys, in the same ways.")
    @click.option("--db", type=PATH, multiple=True, help="What it allows, in the same ways.")
    @click.option("--dbx", type=PATH, multiple=True, help="What it forbids, in the same ways.")
    @click.option(
        "--owner", type=click.UUID, help="Owner GUID of the certificates given: it is measured, so there is no default."
    )
    @click.option(
        "--uefi-data",
        type=PATH,
        help="All UEFI variables instead: UefiData of an AMI or an instance (base64 or JSON), or QEMU's OVMF_VARS.fd.",
    )
    @functools.wraps(command)
    def with_keys(**options: Any) -> None:  # noqa: ANN401 -- whatever else the command takes
        given = _Given(**{name: options.pop(name) for name in _PARAMETERS})
        command(secure_boot=_read_keys(given), **options)

    return with_keys


def given_options(context: click.Context) -> tuple[str, ...]:
    """Return which of the options stand on the command line, as they are written there."""
    return tuple(f"--{name.replace('_', '-')}" for name in _PARAMETERS if context.params[name])


def read_variables(data: bytes) -> EfiVariables:
    """Return the variables in a `uefi-data` blob or in a variable store of QEMU. Raises FormatError."""
    return parse_edk2_store(data) if guess_kind(data) is FileKind.FIRMWARE_VOLUME else read_uefi_data(data)


def _read_keys(given: _Given) -> SecureBootKeys | None:
    if given.uefi_data is not None:
        if given.pk or given.kek or given.db or given.dbx or given.owner:
            raise UsageError(
                "measure.two-sources",
                "expected --uefi-data alone, found --pk, --kek, --db, --dbx or --owner with it: it holds all keys",
            )
        with named(given.uefi_data):
            data = read_file(given.uefi_data, maximum_bytes=max(MAX_FILE_BYTES, MAX_TEXT_BYTES))
            return keys_of_predicted_boot(read_variables(data))
    if not given.pk:
        if given.kek or given.db or given.dbx:
            raise UsageError(
                "measure.no-pk",
                "expected --pk together with --kek, --db or --dbx: without a platform key Secure Boot is off",
            )
        return None
    pk, kek, db, dbx = (_database(getattr(given, name), given.owner) for name in _NAMES)
    return SecureBootKeys(pk=pk, kek=kek, db=db, dbx=dbx)


def _database(files: Sequence[Path], owner: uuid.UUID | None) -> bytes:
    """Return the lists of all files. Each has to be whole: lists are told apart by their lengths alone."""
    lists = []
    for path in files:
        with named(path):
            lists.append(read_signature_lists(read_file(path, maximum_bytes=MAX_DATABASE_BYTES), owner=owner))
    return b"".join(lists)
