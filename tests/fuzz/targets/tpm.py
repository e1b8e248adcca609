# SPDX-License-Identifier: Apache-2.0
"""TPM structures, and commands to the emulated NitroTPM: any number, one after the other."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.target import Target
from tests.tpm_any_bytes import answered, commands_of_every_kind, prepared
from tests.tpm_commands import SHA256, selection, send, sized, u16, u32, u64
from tests.tpm_templates import AES_KEY, HMAC_KEY, SRK_ECC, SRK_RSA

from strongroom.formats.nsm import (
    AttestationRequest,
    NsmError,
    encode_attestation_request,
    encode_attestation_response,
    encode_error,
    parse_attestation_response,
    parse_request,
)
from strongroom.formats.tpm.attest import AttestType, parse_attest, parse_quote
from strongroom.formats.tpm.frame import HEADER_BYTES, encode_response, parse_response
from strongroom.formats.tpm.nv_public import parse_nv_public
from strongroom.formats.tpm.public_area import parse_public_area
from strongroom.formats.tpm.signature import read_signature
from strongroom.formats.tpm.wire import Reader
from strongroom.twin.nitrotpm.state_file import StateFile, parse_state
from strongroom.twin.nitrotpm.state_values import to_json
from strongroom.twin.nitrotpm.tpm import NitroTpm

MAX_BYTES = 1_024
MOST_COMMANDS = 32


def commands(data: bytes) -> None:
    tpm = prepared()
    for command in _frames(data):
        answered(tpm, command)


def _frames(data: bytes) -> Iterator[bytes]:
    """Cut the input where the sizes in it say so: the fuzzer finds sequences by appending. No more than a few."""
    for _ in range(MOST_COMMANDS):
        if not data:
            return
        size_bytes = max(HEADER_BYTES, int.from_bytes(data[2:6]))
        yield data[:size_bytes]
        data = data[size_bytes:]


def public_area(data: bytes) -> None:
    assert parse_public_area(data).encode() == data


def nv_public(data: bytes) -> None:
    assert parse_nv_public(data).encode() == data


def attest(data: bytes) -> None:
    found = parse_attest(data)
    assert found.encode() == data
    if found.type is AttestType.QUOTE:
        assert parse_quote(found).encode() == found.attested


def response(data: bytes) -> None:
    parse_response(data, has_handle=bool(data[-1:] > b"\x7f"), sessions=len(data) % 3)


def signature(data: bytes) -> None:
    reader = Reader(data)
    assert read_signature(reader).encode() + reader.rest() == data


def state(data: bytes) -> None:
    """What is read can be written."""
    to_json(parse_state(data, Path("tpm.json")))


def nsm_request(data: bytes) -> None:
    """A request of ours reads the same again."""
    found = parse_request(data)
    if isinstance(found, AttestationRequest):
        assert parse_request(encode_attestation_request(found)) == found


def nsm_response(data: bytes) -> None:
    found = parse_attestation_response(data)
    if isinstance(found, bytes):
        assert parse_attestation_response(encode_attestation_response(found)) == found


def sequences_of_commands() -> list[bytes]:
    each = commands_of_every_kind()
    return [b"".join(each[start : start + 6]) for start in range(0, len(each), 6)] + each


def quotes() -> list[bytes]:
    head = u32(0xFF544347) + u16(0x8018) + sized(b"\0\x0b" + bytes(32)) + sized(b"nonce")
    clock = u64(1) + u32(2) + u32(3) + b"\1" + u64(4)
    quote = head + clock + selection((SHA256, [0, 7])) + sized(bytes(32))
    return [quote, quote.replace(b"\x80\x18", b"\x80\x19")]


def responses() -> list[bytes]:
    tpm = prepared()
    return [
        send(tpm, "GetRandom", (), u16(9)).content,
        encode_response(0, u32(0) + sized(b"nonce") + b"\1" + sized(b"hmac"), tag=0x8002),
        encode_response(0x9A2),
    ]


def signatures() -> list[bytes]:
    return [
        u16(0x14) + u16(SHA256) + sized(bytes(256)),
        u16(0x18) + u16(SHA256) + sized(bytes(32)) + sized(bytes(32)),
        u16(0x05) + u16(SHA256) + bytes(32),
    ]


def nsm_requests() -> list[bytes]:
    whole = encode_attestation_request(AttestationRequest(user_data=b"data", nonce=b"nonce", public_key=b"key"))
    pcr = b"\xa1\x6bDescribePCR\xa1\x65index\x07"
    return [whole, whole + bytes(16), encode_attestation_request(AttestationRequest()), pcr, b"\x6bDescribeNSM"]


def nsm_responses() -> list[bytes]:
    return [encode_attestation_response(b"document"), encode_error(NsmError.INVALID_ARGUMENT)]


def states() -> list[bytes]:
    with tempfile.TemporaryDirectory(prefix="strongroom-fuzz-") as folder:
        path = Path(folder) / "tpm.json"
        with StateFile(path) as store:
            send(NitroTpm(store), "Startup", (), u16(0))
        return [path.read_bytes()]


TARGETS = (
    Target("tpm.commands", commands, sequences_of_commands, max_bytes=MAX_BYTES),
    Target("tpm.public-area", public_area, lambda: [SRK_ECC, SRK_RSA, HMAC_KEY, AES_KEY], max_bytes=MAX_BYTES),
    Target("tpm.nv-public", nv_public, lambda: [u32(0x01500000) + u16(SHA256) + u32(0x2040004) + sized() + u16(8)]),
    Target("tpm.attest", attest, quotes, max_bytes=MAX_BYTES),
    Target("tpm.response", response, responses, max_bytes=MAX_BYTES),
    Target("tpm.signature", signature, signatures, max_bytes=MAX_BYTES),
    Target("tpm.nsm-request", nsm_request, nsm_requests, max_bytes=MAX_BYTES),
    Target("tpm.nsm-response", nsm_response, nsm_responses, max_bytes=MAX_BYTES),
    Target("tpm.state", state, states),
)
