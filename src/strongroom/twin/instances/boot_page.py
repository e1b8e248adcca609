# SPDX-License-Identifier: Apache-2.0
"""Boots on behalf of other processes of the same user, at a path of the twin's endpoint; they have its token.

::

    POST   /_strongroom/boots          an order (`boot_order`)   {"instance_id", "emulated", "forwarded"}
    GET    /_strongroom/boots/ID?since=N                         {"start", "console", "pcrs", "ending"}
    DELETE /_strongroom/boots/ID       switch it off             {}

GET waits a moment for more of the console than its first N bytes. Whoever ordered a boot keeps asking: after
LEASE_SECONDS without a question it is switched off, because nobody would do it any more. A refusal is
{"code", "message", "remedy", "exit_code"}, with status 400.
"""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping

from werkzeug.wrappers import Request, Response

from strongroom.errors import StrongroomError
from strongroom.twin.instances.boot_order import MAX_ORDER_BYTES, BootOrder, parse_order
from strongroom.twin.instances.booted import BootedInstance
from strongroom.twin.status_page import HEADER

PATH = "/_strongroom/boots"
LEASE_SECONDS = 30.0
WAIT_SECONDS = 0.5
MAX_PIECE_BYTES = 1 << 20
_LOOK_SECONDS = 0.5

_Handler = Callable[[Request], Response]


class BootPage:
    """The page. `boot` starts what an order asks for."""

    def __init__(
        self, token: str, boot: Callable[[BootOrder], BootedInstance], *, lease_seconds: float = LEASE_SECONDS
    ) -> None:
        self._token = token
        self._boot = boot
        self._lease_seconds = lease_seconds
        self._lock = threading.Lock()
        self._booted: dict[str, BootedInstance] = {}
        self._asked_at: dict[str, float] = {}

    def before(self, handler: _Handler) -> _Handler:
        """Return a handler that answers for this page, and leaves everything else to `handler`."""
        return lambda request: self._answer(request) if request.path.startswith(PATH) else handler(request)

    def _answer(self, request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get(HEADER, "").encode(), self._token.encode()):
            return Response("403 - Forbidden\n", status=403)
        if request.path == PATH and request.method == "POST":
            return self._order(request)
        with self._lock:
            instance = self._booted.get(request.path.removeprefix(f"{PATH}/"))
        if instance is None or request.method not in {"GET", "DELETE"}:
            return Response("404 - Not Found\n", status=404)
        self._asked_at[instance.instance_id] = time.monotonic()
        if request.method == "DELETE":
            instance.machine.stop()
            return _json({})
        return _json(_state(instance, request.args.get("since", 0, type=int)))

    def _order(self, request: Request) -> Response:
        request.max_content_length = MAX_ORDER_BYTES
        try:
            instance = self._boot(parse_order(request.get_data()))
        except StrongroomError as error:
            members = {"code": error.code, "message": error.message, "remedy": error.remedy}
            return _json(members | {"exit_code": error.exit_code}, status=400)
        self._asked_at[instance.instance_id] = time.monotonic()
        with self._lock:
            self._booted[instance.instance_id] = instance
        threading.Thread(target=self._expect_questions, args=(instance,), name="boot lease", daemon=True).start()
        machine = instance.machine
        return _json(
            {
                "instance_id": instance.instance_id,
                "emulated": machine.is_emulated,
                "forwarded": list(machine.forwarded),
            }
        )

    def _expect_questions(self, instance: BootedInstance) -> None:
        """Switch a machine off once nobody asks for it any more."""
        while instance.machine.wait(_LOOK_SECONDS) is None:
            if time.monotonic() - self._asked_at[instance.instance_id] > self._lease_seconds:
                instance.machine.stop()


def _state(instance: BootedInstance, since: int) -> dict[str, object]:
    if instance.ending is None:
        instance.console.wait_beyond(since, seconds=WAIT_SECONDS)
    ending = instance.ending  # looked at before the console: what came before the end is in it then
    start, said = instance.console.since(since)
    return {
        "start": start,
        "console": base64.b64encode(said[:MAX_PIECE_BYTES]).decode() or None,
        "pcrs": {str(index): value.hex() for index, value in instance.pcrs.items()},
        "ending": None
        if ending is None or len(said) > MAX_PIECE_BYTES
        else {"cause": ending.cause, "milliseconds": round(ending.seconds * 1000), "message": ending.message},
    }


def _json(members: Mapping[str, object], *, status: int = 200) -> Response:
    return Response(json.dumps(members), status=status, mimetype="application/json")
