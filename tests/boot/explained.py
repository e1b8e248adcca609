# SPDX-License-Identifier: Apache-2.0
"""What `explain` says of a real boot: against its image, and against the image's measurements file."""

from __future__ import annotations

from collections.abc import Sequence

from tests.boot.machine import Booted

from strongroom.formats.event_log import parse_event_log
from strongroom.formats.measurements import encode_measurements, parse_measurements
from strongroom.formats.pcrs import PcrDigests
from strongroom.measure.explain.account import (
    BootAccount,
    account_of_document,
    account_of_image,
    account_of_log,
    account_of_measurements,
    with_log,
)
from strongroom.measure.explain.compare import explain
from strongroom.measure.explain.difference import Difference
from strongroom.measure.predict import measure_image
from strongroom.measure.secure_boot import SecureBootKeys


def references(image: bytes, keys: SecureBootKeys | None = None) -> list[BootAccount]:
    file = encode_measurements(measure_image(image, secure_boot=keys))
    return [
        account_of_image("the image", image, secure_boot=keys),
        account_of_measurements("the file", parse_measurements(file)),
    ]


def recorded(booted: Booted) -> list[BootAccount]:
    """A document that holds the PCRs of the boot, without and with its event log."""
    document = account_of_document("the document", PcrDigests.of(booted.pcrs))
    return [document, with_log(document, account_of_log("the log", parse_event_log(booted.event_log)))]


def gated(reference: BootAccount, seen: BootAccount) -> list[Difference]:
    return list(explain(reference, seen).gated)


def codes(differences: Sequence[Difference]) -> list[str]:
    return [each.code.removeprefix("explain.") for each in differences]
