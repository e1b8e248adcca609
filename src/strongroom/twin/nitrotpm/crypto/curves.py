# SPDX-License-Identifier: Apache-2.0
"""The curves in numbers (SEC 2, sections 2.4.2 and 2.5.1; FIPS 186-4, appendix D.1.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.formats.tpm.algorithms import Alg, Curve


@dataclass(frozen=True, slots=True)
class CurveNumbers:
    """y^2 = x^3 + ax + b modulo p, with a base point (x, y) of order n; the cofactor is 1."""

    kdf_hash: Alg
    """The hash of KDFe as the TPM uses it with the curve."""
    p: int
    b: int
    x: int
    y: int
    n: int

    @property
    def a(self) -> int:
        """Minus three, on every NIST curve."""
        return self.p - 3


CURVE_NUMBERS: Mapping[Curve, CurveNumbers] = {
    Curve.NIST_P256: CurveNumbers(
        Alg.SHA256,
        p=2**256 - 2**224 + 2**192 + 2**96 - 1,
        b=0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
        x=0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        y=0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
        n=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    ),
    Curve.NIST_P384: CurveNumbers(
        Alg.SHA384,
        p=2**384 - 2**128 - 2**96 + 2**32 - 1,
        b=0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
        x=0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        y=0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
        n=0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
}
