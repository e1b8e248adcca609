# SPDX-License-Identifier: Apache-2.0
"""OpenSSL takes and refuses the same certificate paths as the suite. Where it does not, it is said why."""

import base64
import subprocess
from datetime import datetime

import pytest
from tests.conformance.suite import ROOT, VECTORS

from strongroom.formats import cbor
from strongroom.formats.cbor import Profile

DIFFERS = {
    "path-leaf-p256": "OpenSSL verifies any key; that it must be on P-384 is COSE's and AWS's rule",
    "path-leaf-rsa": "the same",
    "path-length-leaf": "RFC 5280 lets a CA be the end of a path; AWS says that the leaf has no path length",
    "path-usage-leaf": "`openssl verify` without a purpose does not look at the leaf's key usage",
    "path-no-usage-leaf": "the same",
    "path-no-usage-zonal": "RFC 5280 looks at a key usage that is there; AWS says that it is there",
    **dict.fromkeys(
        (f"time-{position}-last-second" for position in ("root", "regional", "zonal", "instance", "leaf")),
        "OpenSSL takes the second of notAfter for over; RFC 5280 section 4.1.2.5 includes it",
    ),
}
PAGE = ROOT / "docs/conformance.md"
COMPARED = [v for v in VECTORS if v.group in ("good", "path", "time", "age", "nonce") and not v.optional]


def pem(der):
    return f"-----BEGIN CERTIFICATE-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE-----\n"


def certificates(document):
    """Return leaf and bundle, without a verdict on them."""
    envelope = cbor.decode(document, Profile.AWS)
    payload = cbor.decode(envelope.children[2].scalar, Profile.AWS)
    fields = {key.scalar: value for key, value in payload.map()}
    return fields["certificate"].scalar, [item.scalar for item in fields["cabundle"].children]


def test_the_page_says_how_many_differ():
    assert f"the same certificate paths, but for {len(DIFFERS)} that" in " ".join(PAGE.read_text().split())


@pytest.mark.slow
def test_openssl_takes_and_refuses_the_same_paths(tmp_path):
    root, bundle, leaf = (tmp_path / name for name in ("root", "bundle", "leaf"))
    differs = set()
    for vector in COMPARED:
        own, issuers = certificates(vector.document)
        root.write_text(pem(bytes.fromhex(vector.one("root"))))
        bundle.write_text("".join(map(pem, issuers)))
        leaf.write_text(pem(own))
        at = f"{datetime.fromisoformat(vector.one('time')).timestamp():.0f}"
        command = ["openssl", "verify", "-attime", at, "-CAfile", root, "-untrusted", bundle, leaf]
        code = subprocess.run(command, capture_output=True, check=False).returncode
        if (code == 0) != (vector.one("expect") != "not-authentic"):
            differs.add(vector.name)
    assert len(COMPARED) > 70
    assert differs == set(DIFFERS)
