# SPDX-License-Identifier: Apache-2.0
"""Strongroom's library behind `run.py --serve`: one JSON line in, one out.

Example:  python conformance/run.py --level class --serve -- python conformance/adapters/strongroom_serve.py
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from typing import Any

from strongroom import AppraisalPolicy, NitroRoots, appraise, verify_evidence
from strongroom.errors import FormatError, NotAuthentic, NotTrusted
from strongroom.formats.pcrs import PcrIndex
from strongroom.ids import EvidenceBytes, Nonce


def verify(request: dict[str, Any]) -> dict[str, str]:
    """Return the class of a document and, if it is accepted, what identifies it."""
    now = datetime.fromisoformat(request["time"])
    roots = NitroRoots(frozenset({bytes.fromhex(request["root_sha256"])}))
    pcrs = {PcrIndex(int(index)): [bytes.fromhex(value)] for index, value in request["pcrs"].items()}
    nonce, age = Nonce(bytes.fromhex(request["nonce"])), timedelta(seconds=request["max_age"])
    bound = {name: bytes.fromhex(request[name]) for name in ("public_key", "user_data") if request[name] is not None}
    try:
        evidence = verify_evidence(EvidenceBytes(bytes.fromhex(request["document"])), roots=roots, at=now)
        appraise(evidence, AppraisalPolicy.of(pcrs), nonce=nonce, now=now, max_age=age, **bound).require()
    except FormatError:
        return {"result": "format"}
    except NotAuthentic:
        return {"result": "not-authentic"}
    except NotTrusted:
        return {"result": "not-trusted"}
    return {"result": "success", "identity": evidence.digest.hex()}


def main() -> None:
    """Answer until the input ends."""
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.write(json.dumps({"id": request["id"], **verify(request)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
