# SPDX-License-Identifier: Apache-2.0
"""EC2, S3, IAM and SSM as moto has them: in this process, in memory, behind the twin's own check of signatures.

moto is handed what it needs to find the right place, and nothing that a caller could choose: the account is that of
whoever signed, the region that of the signature. It asks nobody for permission, and none of it reaches a network.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

from botocore.model import OperationNotFoundError
from werkzeug.exceptions import HTTPException
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from strongroom.errors import LocalFault
from strongroom.twin.aws_chunked import unchunk
from strongroom.twin.fault import AwsFault
from strongroom.twin.refusals import Wire, refuse
from strongroom.twin.sigv4 import AuthenticCall, SignedCall

if TYPE_CHECKING:
    from flask import Flask

SERVICES: Mapping[str, Wire] = {"ec2": Wire.EC2, "iam": Wire.QUERY, "s3": Wire.REST_XML, "ssm": Wire.JSON}
"""What of moto is served, by the names that signatures have for it. Each has a test with boto3 and the AWS CLI."""
MAX_BODY_BYTES = 16 << 20
_ACCOUNT_VARIABLE = "MOTO_ACCOUNT_ID"
_IAM_REGION = "us-east-1"
"""IAM is one for all regions; by the region moto finds the partition, and would begin other books for `cn-north-1`."""
_OTHERS_BUCKETS = "MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS"
"""By default everybody reads and writes every bucket, whatever its policy says."""
_ACCOUNT_HEADER = "x-moto-account-id"
_OURS = ("x-moto-", "access-control-")
_UNKNOWN = "has not been implemented"
_UNKNOWN_ACTION = {Wire.JSON: ("UnknownOperationException", 400), Wire.REST_XML: ("NotImplemented", 501)}
_LOCAL_NAMES = (".localhost", ".127.0.0.1")


class Moto:
    """moto's services. It is loaded with the first call, which takes a moment; one call is served at a time.

    Its state belongs to the process, so the first twin of a process that needs it has it until it stops.
    """

    _owner: ClassVar[Moto | None] = None

    def __init__(self) -> None:
        if _ACCOUNT_VARIABLE in os.environ:  # moto would take it for everybody's account
            raise LocalFault(
                "twin.moto-account",
                f"expected the environment without {_ACCOUNT_VARIABLE}, found it set",
                remedy=f"Run it again after `unset {_ACCOUNT_VARIABLE}`: each caller has the account of his key.",
            )
        self._lock = threading.Lock()  # moto's own server takes calls as they come, and its backends have no locks
        self._apps: dict[str, Flask] = {}

    def answer(self, call: AuthenticCall) -> Response:
        """Answer one call; what moto does not know, or breaks on, is an error reply too. Raises AwsFault for a body."""
        with self._lock:
            self._own()
            reply = Response.from_app(self._app(call.scope.service), _environ(call), buffered=True)
        for name in [name for name, _ in reply.headers if name.lower().startswith(_OURS)]:
            del reply.headers[name]
        return reply

    def claim(self) -> None:
        """Have its state, as with a first call. Raises AwsFault where another twin of this process has it."""
        with self._lock:
            self._own()

    def reset(self) -> None:
        """Forget everything, where anything was asked for."""
        with self._lock:
            if Moto._owner is self:
                from moto.core.base_backend import BackendDict  # noqa: PLC0415 -- not loaded for its own sake
                from moto.core.model_instances import reset_model_data  # noqa: PLC0415 -- as above

                BackendDict.reset()
                reset_model_data()
                Moto._owner = None

    def _own(self) -> None:
        if Moto._owner not in {None, self}:
            raise AwsFault("ServiceUnavailable", "moto serves another twin of this process until that one stops.")
        Moto._owner = self

    def _app(self, service: str) -> Flask:
        if service not in self._apps:
            from moto.moto_server.werkzeug_app import create_backend_app  # noqa: PLC0415 -- takes a second

            app = create_backend_app(service)  # type: ignore[arg-type]
            os.environ[_OTHERS_BUCKETS] = "false"  # it has no other way to be told
            app.debug = False  # else what it breaks on would end the listener's thread
            app.register_error_handler(Exception, lambda error: _broken(service, error))
            self._apps[service] = app
        return self._apps[service]


def _broken(service: str, error: Exception) -> Response | HTTPException:
    """Tell whoever called what moto does not know or breaks on; its faults are not the twin's."""
    if isinstance(error, HTTPException):  # moto's way to answer with an error of AWS
        return error
    if isinstance(error, OperationNotFoundError) or _UNKNOWN in str(error):
        name, status = _UNKNOWN_ACTION.get(SERVICES[service], ("InvalidAction", 400))
        fault = AwsFault(name, f"moto, which is {service} here, does not know this: {error}.", status=status)
    else:
        reason = f"{type(error).__name__}: {error}"
        fault = AwsFault("InternalFailure", f"moto, which is {service} here, broke: {reason}", status=500)
    return refuse(SERVICES[service], fault)


def _environ(call: AuthenticCall) -> dict[str, Any]:
    plain = unchunk(call.call) if call.scope.service == "s3" else call.call
    dropped = ("host", "content-length", "transfer-encoding", "expect")
    headers = {name: value for name, value in plain.headers.items() if name not in dropped}
    headers = {name: value for name, value in headers.items() if not name.startswith(_OURS)}
    headers[_ACCOUNT_HEADER] = call.caller.principal.account_id
    builder = EnvironBuilder(
        base_url=f"http://{_host(call, plain)}/",
        path=unquote(plain.path),
        query_string=plain.query,
        method=plain.method,
        headers=list(headers.items()),
        data=plain.body,
    )
    environ = builder.get_environ()
    environ["RAW_URI"] = environ["REQUEST_URI"] = plain.path + (f"?{plain.query}" if plain.query else "")
    return environ


def _host(call: AuthenticCall, plain: SignedCall) -> str:
    """Return the name that AWS's host has for this call: moto reads region and bucket from there."""
    name = plain.headers["host"].partition(":")[0]
    suffix = next((suffix for suffix in _LOCAL_NAMES if name.endswith(suffix)), "")
    bucket = f"{name.removesuffix(suffix)}." if suffix and call.scope.service == "s3" else ""
    region = _IAM_REGION if call.scope.service == "iam" else call.scope.region
    return f"{bucket}{call.scope.service}.{region}.amazonaws.com"
