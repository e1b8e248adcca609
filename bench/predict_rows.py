# SPDX-License-Identifier: Apache-2.0
"""How long the prediction of PCRs takes, against one SHA-384 of the same image."""

from __future__ import annotations

import hashlib
import random

from tests.images import make_pe, make_uki

from bench.race import cpu_time, race, wall_time
from bench.row import Goal, Row, Unit
from strongroom.formats.pcrs import GATES
from strongroom.formats.uki import parse_uki
from strongroom.measure.events import replay
from strongroom.measure.predict import gate_events, measure_image
from strongroom.measure.stub import recognise_stub

_KERNEL_PART = 8
"""One byte in eight is the kernel's: 12 of 100 MB, as with Debian's. Stub 252 has it measured a second time."""
_SEED = 384


def make_image(size_bytes: int) -> bytes:
    """Return a UKI of about this size with random contents."""
    source = random.Random(_SEED)  # noqa: S311 -- contents that do not compress or repeat, no secret
    kernel = make_pe([(".text", source.randbytes(size_bytes // _KERNEL_PART))])
    return make_uki(linux=kernel, initrd=source.randbytes(size_bytes - len(kernel)))


def predict_rows(image: bytes, rounds: int) -> list[Row]:
    """Return the row about the gates, in time of one core, and the one about everything, in time that goes by."""

    def predict(data: bytes) -> None:
        uki = parse_uki(data)
        replay(gate_events(uki, recognise_stub(uki), None), pcrs=GATES)

    seconds = race(
        {
            "limit, core": cpu_time(hashlib.sha384, [image]),
            "gates": cpu_time(predict, [image]),
            "limit, wall": wall_time(lambda: hashlib.sha384(image)),
            "image": wall_time(lambda: measure_image(image, secure_boot=None)),
        },
        rounds,
    )
    megabytes = len(image) / 1e6
    return [
        Row(
            what=f"predict PCR 2, 4, 7, 12, 13 of a UKI of {megabytes:.0f} MB, one core",
            unit=Unit.MILLISECONDS,
            goal=Goal("limit", 1.3),
            names={"limit": "one SHA-384 of the same bytes"},
            seconds={"ours": seconds["gates"], "limit": seconds["limit, core"]},
        ),
        Row(
            what=f"measure a UKI of {megabytes:.0f} MB, PCR 11 too, two cores",
            unit=Unit.MILLISECONDS,
            goal=Goal("limit", 1.3),
            names={"limit": "one SHA-384 of the same bytes"},
            seconds={"ours": seconds["image"], "limit": seconds["limit, wall"]},
            remark="time that goes by: needs a second core that is free",
        ),
    ]
