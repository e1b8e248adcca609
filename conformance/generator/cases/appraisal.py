# SPDX-License-Identifier: Apache-2.0
"""Authentic documents that are not what was asked for: nonce, age, PCRs, bound fields (ATTACKS A2, A3, A12 to A14)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from .. import cbor
from ..certificates import MADE_AT, chain
from ..recipe import (
    GATES,
    NONCE,
    PCR4,
    PCR7,
    PCRS,
    ZERO,
    Case,
    Edit,
    accepted,
    both,
    fields,
    flip,
    milliseconds,
    pcr_map,
    setting,
)

_OTHER = bytes(range(1, 49))
_KEY = b"the key of the machine that was challenged"
_ITS_OWN = "the tolerance for clocks is the verifier's own"


def _nonce(encoded: bytes, **more: bytes) -> Edit:
    return fields(nonce=encoded, **more)


def _made(how_long_ago: timedelta) -> Edit:
    """Set the timestamp to so long before the verification."""
    return fields(timestamp=cbor.integer(milliseconds(MADE_AT + timedelta(seconds=10) - how_long_ago)))


def _pcrs(**changes: Any) -> Edit:
    table = PCRS | {int(name[1:]): value for name, value in changes.items()}
    return fields(nitrotpm_pcrs=pcr_map({index: value for index, value in table.items() if value is not None}))


_NONCE = (
    Case("other", "nonce-1", "the nonce of another session", _nonce(cbor.data(_OTHER[:32]))),
    Case("null", "nonce-1", "no nonce: null", _nonce(cbor.NULL)),
    Case("absent", "nonce-1", "no nonce: the key is missing", setting(missing=("nonce",))),
    Case("empty", "nonce-1", "an empty nonce", _nonce(cbor.data(b""))),
    Case("prefix", "nonce-1", "the nonce without its last byte", _nonce(cbor.data(NONCE[:-1]))),
    Case("longer", "nonce-1", "the nonce and a zero byte", _nonce(cbor.data(NONCE + b"\0"))),
    Case("last-bit", "nonce-1", "the nonce with its last bit flipped", _nonce(cbor.data(flip(-1)(NONCE)))),
    Case("hex", "nonce-1", "the nonce in hex, as 64 bytes", _nonce(cbor.data(NONCE.hex().encode()))),
    Case("in-user-data", "nonce-1", "the nonce in user_data", _nonce(cbor.NULL, user_data=cbor.data(NONCE))),
    Case("zeros", "nonce-1", "32 zero bytes", _nonce(cbor.data(bytes(32)))),
)
_LONG_LEAF = setting(chain=chain(leaf={"begins": MADE_AT - timedelta(minutes=9)}))
_AGE = (
    accepted("none", "age-1", "made in the second of the verification", _made(timedelta(0))),
    accepted("299", "age-1", "299 s old, 300 allowed", both(_LONG_LEAF, _made(timedelta(seconds=299)))),
    accepted(
        "300",
        "age-1",
        "300 s old, 300 allowed",
        both(_LONG_LEAF, _made(timedelta(seconds=300))),
        reason="some verifiers end a limit before its last second",
    ),
    Case("301", "age-1", "301 s old, 300 allowed", both(_LONG_LEAF, _made(timedelta(seconds=301)))),
    Case(
        "300-001",
        "age-1",
        "300.001 s old, 300 allowed",
        both(_LONG_LEAF, _made(timedelta(milliseconds=300_001))),
        reason="some verifiers count seconds",
    ),
    Case(
        "three-hours",
        "age-1",
        "as old as its certificates allow",
        setting(time=MADE_AT + timedelta(hours=2, minutes=59)),
    ),
    accepted(
        "hour-allowed",
        "age-1",
        "half an hour old, an hour allowed",
        setting(time=MADE_AT + timedelta(minutes=30), max_age=3600),
        reason="not every verifier lets its caller choose the limit",
    ),
    Case(
        "seconds",
        "age-1",
        "the timestamp in seconds: January 1970",
        fields(timestamp=cbor.integer(milliseconds(MADE_AT) // 1000)),
    ),
    accepted("ahead-1", "age-1", "one second ahead of the verifier", _made(timedelta(seconds=-1)), reason=_ITS_OWN),
    Case("ahead-10-minutes", "age-1", "ten minutes ahead of the verifier", _made(timedelta(minutes=-10))),
    Case("ahead-2-hours", "age-1", "two hours ahead of the verifier", _made(timedelta(hours=-2))),
    Case(
        "year-9999",
        "age-1",
        "made in the year 9999",
        fields(timestamp=cbor.integer(milliseconds(datetime(9999, 12, 31, tzinfo=UTC)))),
    ),
)
_VALUES = tuple(
    Case(f"{index}-other", "pcr-1", comment, _pcrs(**{f"p{index}": _OTHER}))
    for index, comment in zip(
        GATES,
        (
            "something ran before the image, and was measured into PCR 2",
            "PCR 4 of another image",
            "PCR 7 of other Secure Boot variables",
            "a command line was measured into PCR 12",
            "a system extension was measured into PCR 13",
        ),
        strict=True,
    )
)
_ABSENT = tuple(
    Case(f"{index}-absent", "pcr-1", f"PCR {index} is not in the document", _pcrs(**{f"p{index}": None}))
    for index in GATES
)
_PCR = (
    *_VALUES,
    *_ABSENT,
    Case("4-first-bit", "pcr-1", "PCR 4 differs in its first byte", _pcrs(p4=flip(0)(PCR4))),
    Case("4-last-bit", "pcr-1", "PCR 4 differs in its last byte", _pcrs(p4=flip(-1)(PCR4))),
    Case("4-zero", "pcr-1", "PCR 4 is all zeros", _pcrs(p4=ZERO)),
    Case("4-and-12", "pcr-1", "the values of PCR 4 and 12 are exchanged", _pcrs(p4=ZERO, p12=PCR4)),
    Case(
        "moved",
        "pcr-1",
        "every value stands one PCR too high",
        fields(nitrotpm_pcrs=pcr_map({index + 1: value for index, value in PCRS.items()})),
    ),
    Case(
        "7-zero",
        "pcr-2",
        "PCR 7 is all zeros, and nobody gave a value for it",
        both(_pcrs(p7=ZERO), setting(pcrs={index: PCRS[index] for index in GATES if PCRS[index] != PCR7})),
        reason="AWS does not write that an unmeasured PCR 7 is wrong",
    ),
)
_BINDING = (
    Case(
        "key-other",
        "binding-1",
        "another public key",
        both(fields(public_key=cbor.data(_KEY[::-1])), setting(public_key=_KEY)),
    ),
    Case("key-null", "binding-1", "no public key: null", setting(public_key=_KEY)),
    Case(
        "key-absent",
        "binding-1",
        "no public key: the key is missing",
        setting(public_key=_KEY, missing=("public_key",)),
    ),
    Case(
        "key-prefix",
        "binding-1",
        "the public key without its last byte",
        both(fields(public_key=cbor.data(_KEY[:-1])), setting(public_key=_KEY)),
    ),
    Case(
        "key-in-user-data",
        "binding-1",
        "the public key in user_data",
        both(fields(user_data=cbor.data(_KEY)), setting(public_key=_KEY)),
    ),
    Case(
        "data-other",
        "binding-1",
        "other user data",
        both(fields(user_data=cbor.data(b"theirs")), setting(user_data=b"ours")),
    ),
    Case("data-null", "binding-1", "no user data: null", setting(user_data=b"ours")),
    Case(
        "data-longer",
        "binding-1",
        "the user data and a line feed",
        both(fields(user_data=cbor.data(b"ours\n")), setting(user_data=b"ours")),
    ),
)
CASES = (*_NONCE, *_AGE, *_PCR, *_BINDING)
