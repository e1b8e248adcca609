# SPDX-License-Identifier: Apache-2.0
"""What the TPM says about algorithms: parameters of keys, and curves (Part 3, sections 30.3 and 14.5)."""

from __future__ import annotations

from strongroom.formats.tpm.algorithms import COORDINATE_BYTES, Alg, Curve
from strongroom.formats.tpm.command_codes import Cc
from strongroom.formats.tpm.public_area import Parameters, read_parameters
from strongroom.formats.tpm.response_codes import Rc
from strongroom.formats.tpm.wire import Reader, sized, u16
from strongroom.twin.nitrotpm.authorization.call import Call
from strongroom.twin.nitrotpm.crypto.curves import CURVE_NUMBERS
from strongroom.twin.nitrotpm.registry import DONE, Parameter, Reply, command
from strongroom.twin.nitrotpm.state.chip import Chip


def _curve(reader: Reader) -> Curve:
    return Curve(reader.choice(COORDINATE_BYTES, Rc.CURVE, "curve"))


@command(Cc.TEST_PARMS, Parameter(read_parameters))
def try_parameters(_chip: Chip, _call: Call, _parameters: tuple[Alg, Parameters]) -> Reply:
    """Say whether a key may have these parameters: if not, reading them was refused."""
    return DONE


@command(Cc.ECC_PARAMETERS, Parameter(_curve))
def ecc_parameters(_chip: Chip, _call: Call, curve: Curve) -> Reply:
    """Return TPMS_ALGORITHM_DETAIL_ECC: a curve in numbers, and the hash of its key derivation."""
    numbers = CURVE_NUMBERS[curve]
    size_bytes = COORDINATE_BYTES[curve]
    head = u16(curve) + u16(size_bytes * 8) + u16(Alg.KDF1_SP800_56A) + u16(numbers.kdf_hash) + u16(Alg.NULL)
    full = (numbers.p, numbers.a, numbers.b, numbers.x, numbers.y, numbers.n)
    return Reply(head + b"".join(sized(number.to_bytes(size_bytes)) for number in full) + sized(b"\x01"))
