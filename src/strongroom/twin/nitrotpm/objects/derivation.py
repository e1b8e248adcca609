# SPDX-License-Identifier: Apache-2.0
"""Objects that are derived from a secret of their parent, a label and a context (Part 1, section 28)."""

from __future__ import annotations

from dataclasses import dataclass

from strongroom.crypto.tpm import mac
from strongroom.formats.tpm.algorithms import HASH_BYTES, Alg
from strongroom.formats.tpm.public_area import (
    KeyedHashParameters,
    PublicArea,
    read_public_area,
    read_public_head,
)
from strongroom.formats.tpm.wire import Reader, u32
from strongroom.twin.nitrotpm.objects.creation import Source
from strongroom.twin.nitrotpm.state.objects import TpmObject

_MOST_LABEL_BYTES = 32
_MOST_BITS = 8192
"""TPM_MAX_DERIVATION_BITS: what the derivation is told it is to give, however much is taken of it."""


@dataclass(frozen=True, slots=True)
class Derivation:
    """TPMS_DERIVE (Part 2, section 12.2.3.2)."""

    label: bytes
    context: bytes


def read_template(template: bytes) -> PublicArea:
    """Read a template that fills all of it. Raises TpmFormatError."""
    reader = Reader(template)
    public = read_public_area(reader, null_name=False)
    reader.expect_end("the template")
    return public


def read_derived_template(template: bytes) -> tuple[PublicArea, Derivation]:
    """Read a template that has label and context where others have what makes them unique. Raises TpmFormatError."""
    reader = Reader(template)
    public = read_public_head(reader)
    derivation = _read(reader)
    reader.expect_end("the template")
    return public, derivation


def merged(derivation: Derivation, data: bytes) -> Derivation:
    """Return label and context, taken from the caller's secret data where the template has none.

    Raises TpmFormatError where that data is no TPMS_DERIVE.
    """
    if not data:
        return derivation
    given = _read(Reader(data))
    return Derivation(derivation.label or given.label, derivation.context or given.context)


def derived_source(parent: TpmObject, derivation: Derivation) -> Source:
    """Return what a derivation parent gives for a label and a context: one stream, taken from in the order asked."""
    parameters, sensitive = parent.public.parameters, parent.sensitive
    if not isinstance(parameters, KeyedHashParameters) or sensitive is None:
        raise TypeError("not a derivation parent")
    hash_, secret = parameters.scheme.hash, sensitive.value
    stream = Reader(_stream(hash_, secret, derivation))
    return Source(lambda purpose, size: stream.take(size, purpose), _no_primes)


def _stream(hash_: Alg, secret: bytes, derivation: Derivation) -> bytes:
    """Return KDFa as `crypto.tpm` has it, but for a label that need not be text, and may end with a zero already."""
    label = derivation.label if derivation.label.endswith(b"\0") else derivation.label + b"\0"
    blocks = range(1, _MOST_BITS // 8 // HASH_BYTES[hash_] + 1)
    made = (mac(hash_, secret, u32(number), label, derivation.context, u32(_MOST_BITS)) for number in blocks)
    return b"".join(made)


def _no_primes(_key_bits: int) -> tuple[bytes, bytes]:
    raise RuntimeError("RSA keys are not derived")


def _read(reader: Reader) -> Derivation:
    label = reader.sized("a label", most_bytes=_MOST_LABEL_BYTES)
    return Derivation(label, reader.sized("a context", most_bytes=_MOST_LABEL_BYTES))
