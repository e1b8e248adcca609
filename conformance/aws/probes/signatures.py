# SPDX-License-Identifier: Apache-2.0
"""Requests that botocore would not send: signed at another time, with headers that were not signed, of no operation.

They are built by its parts.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from conformance.aws.answers import ANSWERED
from conformance.aws.probe import Ask, probe
from conformance.aws.workbench import Workbench

_TIME = "%Y%m%dT%H%M%SZ"
_OK = 200


def _send(bench: Workbench, at: datetime, unsigned: dict[str, str], operation: str = "GenerateRandom") -> str:
    """Send a call that is signed as at `at`, with further headers; return what it ends in."""
    kms = bench.kms
    credentials = kms._request_signer._credentials.get_frozen_credentials()  # noqa: SLF001 -- no public way to them
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": f"TrentService.{operation}"}
    headers |= {"X-Amz-Date": at.strftime(_TIME)}
    if credentials.token:
        headers["X-Amz-Security-Token"] = credentials.token
    request = AWSRequest("POST", kms.meta.endpoint_url + "/", headers, json.dumps({"NumberOfBytes": 1}))
    request.context["timestamp"] = at.strftime(_TIME)
    signer = SigV4Auth(credentials, "kms", kms.meta.region_name)
    scope = signer.canonical_request(request)
    signature = signer.signature(signer.string_to_sign(request, scope), request)
    request.headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
        f"SignedHeaders={signer.signed_headers(signer.headers_to_sign(request))}, Signature={signature}"
    )
    for name, value in unsigned.items():
        request.headers[name] = value
    answer = URLLib3Session().send(request.prepare())
    if answer.status_code == _OK:
        return ANSWERED
    return str(json.loads(answer.text).get("__type", "")).rpartition("#")[2]


@probe("signature-skew")
def signature_skew(bench: Workbench) -> Ask:
    """Signed four and six minutes ago."""
    return lambda: {
        "four_minutes": _send(bench, bench.target.now() - timedelta(minutes=4), {}),
        "six_minutes": _send(bench, bench.target.now() - timedelta(minutes=6), {}),
    }


@probe("signature-headers")
def signature_headers(bench: Workbench) -> Ask:
    """A header of AWS's that was added after signing."""
    return lambda: {"unsigned": _send(bench, bench.target.now(), {"X-Amz-Probe": "1"})}


@probe("unknown-operation")
def unknown_operation(bench: Workbench) -> Ask:
    """An operation that no service has."""
    return lambda: {"kms": _send(bench, bench.target.now(), {}, operation="NoSuchThing")}
