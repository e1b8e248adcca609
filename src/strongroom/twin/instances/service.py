# SPDX-License-Identifier: Apache-2.0
"""Instances of EC2 as a service: those of our own images boot, moto keeps their records; all others are moto's alone.

What an instance is called, its state and its tags are in moto's books from RunInstances on. A machine that ends by
itself is entered there, and one that is stopped or terminated there is switched off before the call is answered.
"""

from __future__ import annotations

import base64
import contextlib
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from werkzeug.wrappers import Response

from strongroom.errors import FormatError, LocalFault
from strongroom.formats.uefi_data import write_uefi_data
from strongroom.ids import AccountId, ImageId, InstanceId, Region
from strongroom.ports import Clock
from strongroom.twin.api_request import ApiRequest, Reply
from strongroom.twin.ebs.fault import EbsFault
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.beside_moto import Answer, xml_response
from strongroom.twin.images.faults import told
from strongroom.twin.images.query import operation_model, read_form, read_parameters, write_reply
from strongroom.twin.instances.booted import BootedInstance
from strongroom.twin.instances.boots import MOST_MACHINES, Boots
from strongroom.twin.instances.launching import (
    Launch,
    Launching,
    expect_machine,
    expect_may,
    hardware_of,
    no_capacity,
)
from strongroom.twin.instances.records import call_about, described, ids_in, with_form
from strongroom.twin.sigv4 import AuthenticCall

CONSOLE_BYTES = 64 * 1024
"""EC2 User Guide, "Instance console output"."""
GRACE_SECONDS = 5.0
"""How long a guest has for its own shutdown; minutes on AWS."""
_BAD = 400


class MakeInstance(Protocol):
    """Makes an instance of the twin, which signs its documents."""

    def __call__(
        self, instance_id: InstanceId, *, account: AccountId, region: Region, image_id: ImageId, kind: str, role: str
    ) -> BootedInstance:
        """Return it, not booted yet. `kind` is its instance type, `role` empty where it has none."""


@dataclass
class _Entry:
    """One instance. `call` is the call that launched it, in whose account and Region moto has its record."""

    instance: BootedInstance
    launch: Launch
    folder: tempfile.TemporaryDirectory[str]
    call: AuthenticCall
    ends_by_call: bool = False


class Instances:
    """What answers calls about instances. `moto` has their records, and answers for all that are not ours."""

    def __init__(self, launching: Launching, boots: Boots, moto: Answer, *, make: MakeInstance, clock: Clock) -> None:
        self._launching = launching
        self._boots = boots
        self._moto = moto
        self._make = make
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._closing = False
        self._about_one: Mapping[str, Callable[[_Entry], Reply]] = {
            "GetConsoleOutput": self._console_output,
            "GetInstanceUefiData": _uefi_data,
            "SendDiagnosticInterrupt": _interrupt,
        }
        self._about_many: Mapping[str, Callable[[ApiRequest, Sequence[_Entry]], None]] = {
            "RebootInstances": lambda _, entries: self._reboot(entries),
            "StartInstances": lambda _, entries: self._start(entries),
            "StopInstances": self._stop,
            "TerminateInstances": self._terminate,
        }

    def answer(self, call: AuthenticCall) -> Response:
        """Carry out one call. Raises AwsFault."""
        form = read_form(call.call.body)
        action = form.get("Action", "")
        if action == "RunInstances" and self._launching.knows(form.get("ImageId", "")):
            return self._run(self._request(action, call, form), call, form)
        if action in self._about_one and form.get("InstanceId", "") in self._entries:
            return self._one(self._request(action, call, form))
        if action in self._about_many:
            return self._many(action, call, form)
        reply = self._moto(call)
        return self._described(reply) if action == "DescribeInstances" else reply

    def close(self) -> None:
        """Let go of volumes; no instance runs any more."""
        with self._lock:
            entries = list(self._entries.values())
            self._entries.clear()
        for each in entries:
            each.folder.cleanup()

    def expect_the_end(self) -> None:
        """From now on instances end because the twin does: their records end with it."""
        self._closing = True

    def ended(self, instance: BootedInstance) -> None:
        """Enter in moto's books that an instance has ended by itself."""
        with self._lock:
            entry = self._entries.get(instance.instance_id)
            if entry is None or entry.instance is not instance or entry.ends_by_call or self._closing:
                return
        action = "TerminateInstances" if entry.launch.terminates else "StopInstances"
        with contextlib.suppress(AwsFault):  # a moto that is another twin's by now
            self._moto(call_about(entry.call, action, [instance.instance_id]))
        if entry.launch.terminates:
            entry.folder.cleanup()

    def _request(self, action: str, call: AuthenticCall, form: Mapping[str, str]) -> ApiRequest:
        return ApiRequest(action, call, read_parameters(operation_model(action), form), self._clock.now())

    def _run(self, request: ApiRequest, call: AuthenticCall, form: Mapping[str, str]) -> Response:
        try:
            launch = self._launching.read(request)
            if request.flag("DryRun"):
                return self._moto(call)
            expect_machine()
            count = self._count(request)
            folders = [self._launching.disks(launch) for _ in range(count)]
        except EbsFault as fault:
            raise told(fault) from fault
        except (OSError, LocalFault, FormatError) as error:
            raise AwsFault("InternalError", f"The twin cannot read the volumes: {error}", status=500) from error
        reply = self._moto(with_form(call, dict(form) | {"MinCount": str(count), "MaxCount": str(count)}))
        ids = list(ids_in(reply)) if reply.status_code < _BAD else []
        try:
            for instance_id, folder in zip(ids, folders, strict=False):
                self._boot(_Entry(self._instance(instance_id, launch, request), launch, folder, call))
        except (LocalFault, FormatError) as fault:
            self._moto(call_about(call, "TerminateInstances", ids))
            self._switch_off([self._entries[each] for each in ids if each in self._entries], seconds=0)
            raise no_capacity(fault) from fault
        finally:
            for folder in folders:
                if folder not in [each.folder for each in self._entries.values()]:
                    folder.cleanup()
        return reply

    def _count(self, request: ApiRequest) -> int:
        """Return how many instances there is room for. Raises AwsFault where fewer are not wanted."""
        least, most = request.number("MinCount", 1), request.number("MaxCount", 1)
        room = MOST_MACHINES - sum(each.ending is None for each in self._boots.instances)
        if not 1 <= least <= most:
            raise AwsFault("InvalidParameterValue", "MinCount is at least 1, and MaxCount not less.")
        if room < least:
            message = f"At most {MOST_MACHINES} machines run at a time in the twin; there is room for {room} more."
            raise AwsFault("InsufficientInstanceCapacity", message, status=500)
        return min(most, room)

    def _instance(self, instance_id: InstanceId, launch: Launch, request: ApiRequest) -> BootedInstance:
        return self._make(
            instance_id,
            account=request.account_id,
            region=request.region,
            image_id=launch.image.image_id,
            kind=launch.instance_type,
            role=launch.role.name if launch.role else "",
        )

    def _boot(self, entry: _Entry) -> None:
        """Switch an instance on, with the variables that it had before. Raises LocalFault and FormatError."""
        instance = entry.instance
        before = self._entries.get(instance.instance_id)
        variables = before.instance.machine.variables() if before else None
        hardware = hardware_of(entry.launch, Path(entry.folder.name), variables)
        self._boots.start(instance, hardware, role=entry.launch.role, user_data=entry.launch.user_data)
        with self._lock:
            self._entries[instance.instance_id] = entry
        if instance.ending is not None:
            self.ended(instance)

    def _one(self, request: ApiRequest) -> Response:
        (entry,) = self._mine(request, [request.text("InstanceId")])
        if request.flag("DryRun"):
            raise AwsFault("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412)
        members = self._about_one[request.operation](entry)
        return xml_response(write_reply(operation_model(request.operation), members))

    def _many(self, action: str, call: AuthenticCall, form: Mapping[str, str]) -> Response:
        known = [value for name, value in form.items() if name.startswith("InstanceId.") and value in self._entries]
        if not known:
            return self._moto(call)
        request = self._request(action, call, form)
        entries = self._mine(request, known)
        for entry in entries:
            entry.ends_by_call = True
        reply = self._moto(call)
        if reply.status_code < _BAD:
            self._about_many[action](request, entries)
        else:
            for entry in entries:
                entry.ends_by_call = False
        return reply

    def _mine(self, request: ApiRequest, ids: Sequence[str]) -> list[_Entry]:
        """Return instances of the caller's, with which he may do this. Raises AwsFault."""
        found = []
        for each in ids:
            entry = self._entries[each]
            place = (entry.instance.account_id, entry.instance.region)
            if place != (request.account_id, request.region):
                raise AwsFault("InvalidInstanceID.NotFound", f"The instance ID '{each}' does not exist")
            expect_may(request, request.operation, each)
            found.append(entry)
        return found

    def _stop(self, request: ApiRequest, entries: Sequence[_Entry]) -> None:
        at_once = request.flag("Force") or request.flag("SkipOsShutdown")
        self._switch_off(entries, seconds=0 if at_once else GRACE_SECONDS)

    def _terminate(self, request: ApiRequest, entries: Sequence[_Entry]) -> None:
        self._stop(request, entries)
        for each in entries:
            each.folder.cleanup()

    def _reboot(self, entries: Sequence[_Entry]) -> None:
        self._switch_off(entries, seconds=GRACE_SECONDS)
        self._start(entries)

    def _start(self, entries: Sequence[_Entry]) -> None:
        """Boot instances that are off, from the blocks of their image. Raises AwsFault."""
        for entry in entries:
            if entry.instance.ending is None:
                entry.ends_by_call = False
                continue
            again = self._make(
                entry.instance.instance_id,
                account=entry.instance.account_id,
                region=entry.instance.region,
                image_id=entry.instance.image_id,
                kind=entry.instance.instance_type,
                role=entry.instance.role,
            )
            try:
                self._boot(replace(entry, instance=again, ends_by_call=False))
            except (LocalFault, FormatError) as fault:
                raise no_capacity(fault) from fault

    @staticmethod
    def _switch_off(entries: Sequence[_Entry], *, seconds: float) -> None:
        """End instances, with so much time for a shutdown of their own."""
        running = [each.instance for each in entries if each.instance.ending is None]
        if running:
            with ThreadPoolExecutor(max_workers=len(running)) as pool:
                list(pool.map(lambda each: _end(each, seconds), running))

    def _console_output(self, entry: _Entry) -> Reply:
        said = entry.instance.console.contents[-CONSOLE_BYTES:]
        return {
            "InstanceId": entry.instance.instance_id,
            "Timestamp": self._clock.now(),
            "Output": base64.b64encode(said).decode(),
        }

    def _described(self, reply: Response) -> Response:
        with self._lock:
            launches = {name: entry.launch for name, entry in self._entries.items()}
        return described(reply, launches.get) if launches and reply.status_code < _BAD else reply


def _end(instance: BootedInstance, seconds: float) -> None:
    machine = instance.machine
    if seconds:
        with contextlib.suppress(LocalFault):  # it is off by now
            machine.press_power_button()
            machine.wait(seconds)
    machine.stop()


def _uefi_data(entry: _Entry) -> Reply:
    try:
        data = write_uefi_data(entry.instance.machine.variables())
    except FormatError as error:
        raise AwsFault("InternalError", f"The firmware is writing its variables: {error}", status=500) from error
    return {"InstanceId": entry.instance.instance_id, "UefiData": data.decode()}


def _interrupt(entry: _Entry) -> Reply:
    try:
        entry.instance.machine.interrupt()
    except LocalFault as fault:
        message = f"The instance '{entry.instance.instance_id}' is not in a state from which it can be interrupted."
        raise AwsFault("IncorrectInstanceState", message) from fault
    return {}
