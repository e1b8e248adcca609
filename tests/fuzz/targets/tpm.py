# SPDX-License-Identifier: Apache-2.0
"""What a TPM, or whoever answers for it, says to the client; and the files that hold what it said."""

from tests.fuzz.target import Target
from tests.tpm_quotes import attest_of, public_of, quote_file, quote_of
from tests.tpm_wire import response, u8, u16, u32

from strongroom.crypto.tpm import object_name
from strongroom.errors import FormatError, TpmFault, UsageError
from strongroom.formats import nsm
from strongroom.formats.nsm import AttestationRequest, PcrRequest, PlainRequest
from strongroom.formats.pcrs import PcrDigests
from strongroom.formats.quote import encode_quote_file, parse_quote_file
from strongroom.formats.sealed import SealedSecret, encode_sealed, parse_sealed, sealed_template
from strongroom.formats.tpm.algorithms import Alg
from strongroom.formats.tpm.attest import parse_attest, parse_quote
from strongroom.formats.tpm.capabilities import Property
from strongroom.formats.tpm.frame import parse_response
from strongroom.formats.tpm.handles import HandleType
from strongroom.formats.tpm.nv_public import NvPublic, parse_nv_public, read_sized_nv_public
from strongroom.formats.tpm.pcr_selection import PcrSelection, encode_pcr_selections, read_pcr_selections
from strongroom.formats.tpm.public_area import parse_public_area, read_parameters
from strongroom.formats.tpm.signature import read_signature
from strongroom.formats.tpm.wire import Reader, sized
from strongroom.tpm.capabilities import active_banks, fixed_property, loaded_handles
from strongroom.tpm.command import ENDORSEMENT, OWNER
from strongroom.tpm.connection import Connection
from strongroom.tpm.nitro import NitroTpm
from strongroom.tpm.pcrs import read_pcrs
from strongroom.tpm.primary import EK_TEMPLATE, SRK_TEMPLATE, primary


class Saying:
    """A TPM that says what is in the data, one response after the other by their own sizes, and then nothing."""

    def __init__(self, data: bytes) -> None:
        self.left = data

    def transmit(self, command: bytes) -> bytes:
        size = max(10, int.from_bytes(self.left[2:6], "big"))
        answer, self.left = self.left[:size], self.left[size:]
        return answer


def make(hierarchy, template):
    def made(connection):
        with primary(connection, hierarchy, template) as key:
            assert key.entity.name == object_name(key.public)

    return made


QUESTIONS = (
    lambda connection: read_pcrs(connection, Alg.SHA384, (4, 7)),
    lambda connection: fixed_property(connection, Property.NV_BUFFER_MAX),
    lambda connection: loaded_handles(connection, HandleType.NV_INDEX),
    active_banks,
    make(ENDORSEMENT, EK_TEMPLATE),
    make(OWNER, SRK_TEMPLATE),
)


def client(data: bytes) -> None:
    """The first byte says what is asked. No document ever comes of answers that nobody has signed."""
    which, said = data[0] % (len(QUESTIONS) + 1) if data else 0, data[1:]
    if which < len(QUESTIONS):
        QUESTIONS[which](Connection(Saying(said), sleep=lambda _: None))
        return
    tpm = NitroTpm(Saying(said))
    tpm._connection = Connection(Saying(said), sleep=lambda _: None)
    tpm.attest()
    raise AssertionError("a document without a session")


def whole(read, encode):
    """Read something that fills the data; it encodes to the same bytes."""

    def once(data):
        reader = Reader(data)
        value = read(reader)
        reader.expect_end("the input")
        assert encode(value) == data

    return once


def attest(data: bytes) -> None:
    made = parse_attest(data)
    assert made.encode() == data
    assert parse_quote(made).encode() == made.attested


def frame(data: bytes) -> None:
    for has_handle, sessions in ((False, 0), (True, 1)):
        try:
            parse_response(data, has_handle=has_handle, sessions=sessions)
        except FormatError:
            continue


STRUCTURES = (
    whole(lambda r: parse_public_area(r.rest()), lambda public: public.encode()),
    whole(lambda r: parse_nv_public(r.rest()), lambda public: public.encode()),
    whole(read_signature, lambda signature: signature.encode()),
    whole(read_pcr_selections, encode_pcr_selections),
    whole(read_parameters, lambda found: u16(found[0]) + found[1].encode()),
    attest,
    frame,
    whole(read_sized_nv_public, lambda public: sized(public.encode())),
)


def structure(data: bytes) -> None:
    """The first byte says which. What was read encodes to the same bytes."""
    STRUCTURES[data[0] % len(STRUCTURES) if data else 0](data[1:])


def nsm_request(data: bytes) -> None:
    """A request is one of three kinds; one for a document is read again as it was written."""
    request = nsm.parse_request(data)
    assert isinstance(request, AttestationRequest | PcrRequest | PlainRequest)
    if isinstance(request, AttestationRequest):
        assert nsm.parse_request(nsm.encode_attestation_request(request)) == request


def nsm_answer(data: bytes) -> None:
    """An answer is a document, or an error with a name; what stands behind it changes nothing."""
    answer = nsm.parse_attestation_response(data)
    assert nsm.parse_attestation_response(data + b"\xff") == answer
    again = nsm.encode_error(answer) if isinstance(answer, nsm.NsmError) else nsm.encode_attestation_response(answer)
    assert nsm.parse_attestation_response(again) == answer


def sealed(data: bytes) -> None:
    found = parse_sealed(data)
    assert parse_sealed(encode_sealed(found)) == found


def quote(data: bytes) -> None:
    found = parse_quote_file(data)
    assert parse_quote_file(encode_quote_file(found)) == found


def primary_answer(template, unique: bytes) -> bytes:
    """Return an answer to CreatePrimary as far as nobody looks behind it."""
    encoded = template.encode()
    public = encoded[: -len(unique)] + unique
    name = object_name(parse_public_area(public))
    made = b"".join(u16(len(part)) + part for part in (public, b"creation data", bytes(32)))
    parameters = made + u16(0x8021) + u32(0x4000000B) + u16(0) + u16(len(name)) + name
    body = u32(0x80000000) + u32(len(parameters)) + parameters + u16(0) + u8(1) + u16(0)
    return response(0, body, tag=0x8002) + response(0)


def answers() -> list[bytes]:
    banks = response(0, b"\0" + u32(5) + u32(1) + u16(Alg.SHA384) + b"\3\xff\xff\xff")
    pcrs = u32(1) + u32(1) + u16(Alg.SHA384) + b"\3\x90\0\0" + u32(2) + 2 * (u16(48) + bytes(48))
    point = u16(32) + b"\1" * 32
    return [
        b"\0" + banks + response(0, pcrs),
        b"\1" + response(0x922) + response(0, b"\0" + u32(6) + u32(1) + u32(Property.NV_BUFFER_MAX) + u32(2048)),
        b"\2" + response(0, b"\0" + u32(1) + u32(2) + u32(0x01000000) + u32(0x01000001)),
        b"\3" + banks,
        b"\4" + primary_answer(EK_TEMPLATE, b"\xff" * 256),
        b"\5" + primary_answer(SRK_TEMPLATE, point + point),
        b"\6" + primary_answer(EK_TEMPLATE, b"\xff" * 256)[:-10] + response(0x101),
        b"\6" + response(0x9A2),
    ]


def structures() -> list[bytes]:
    key = public_of()
    selection = (PcrSelection.of(Alg.SHA256, (0, 23)), PcrSelection.of(Alg.SHA384, (4,)))
    return [
        b"\0" + EK_TEMPLATE.encode(),
        b"\0" + key.encode(),
        b"\0" + sealed_template(bytes(32)).encode(),
        b"\1" + NvPublic(0x01000000, Alg.SHA512, 0x40004, b"", 8192).encode(),
        b"\7" + sized(NvPublic(0x01000000, Alg.SHA512, 0x40004, b"", 8192).encode()),
        b"\2" + quote_of().signature.encode(),
        b"\2" + u16(Alg.RSASSA) + u16(Alg.SHA256) + u16(4) + b"sign",
        b"\2" + u16(Alg.HMAC) + u16(Alg.SHA256) + bytes(32),
        b"\3" + encode_pcr_selections(selection),
        b"\4" + u16(Alg.ECC) + key.parameters.encode(),
        b"\5" + attest_of(key),
        b"\6" + response(0, u32(0x80000000) + u32(0) + b"\0\0\1\0\0", tag=0x8002),
    ]


def nsm_requests() -> list[bytes]:
    return [
        nsm.encode_attestation_request(AttestationRequest(b"u", b"n", None)) + b"\xff" * 9,
        b"\xa1\x69ExtendPCR\xa2\x65index\x10\x64data\x41x",
        b"\xa1\x68LockPCRs\xa1\x65range\x10",
        b"\x6bDescribeNSM",
    ]


def nsm_answers() -> list[bytes]:
    return [
        nsm.encode_attestation_response(b"document") + b"\xff" * 9,
        nsm.encode_error(nsm.NsmError.INVALID_ARGUMENT),
        nsm.encode_random_response(b"r"),
    ]


def sealed_files() -> list[bytes]:
    public = sealed_template(bytes(32))
    return [encode_sealed(SealedSecret(PcrDigests.of({4: b"\4" * 48}), b"\0\x0b" + bytes(32), public, b"private"))]


def quote_files() -> list[bytes]:
    return [encode_quote_file(quote_file())]


TARGETS = (
    Target("tpm.client", client, answers, (TpmFault, UsageError), max_bytes=1_024),
    Target("tpm.structures", structure, structures, max_bytes=512),
    Target("tpm.nsm-request", nsm_request, nsm_requests, (FormatError, UsageError), max_bytes=512),
    Target("tpm.nsm-answer", nsm_answer, nsm_answers, max_bytes=512),
    Target("tpm.sealed-file", sealed, sealed_files, max_bytes=2_048),
    Target("tpm.quote-file", quote, quote_files, max_bytes=16_384),
)
