# SPDX-License-Identifier: Apache-2.0
"""moto's records of instances: calls that change them, and what moto does not know of ours."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from werkzeug.wrappers import Response

from strongroom.ids import InstanceId
from strongroom.twin.images.beside_moto import bare, xml_response
from strongroom.twin.instances.launching import Launch
from strongroom.twin.sigv4 import AuthenticCall

_VERSION = "2016-11-15"


def call_about(call: AuthenticCall, action: str, ids: Sequence[str]) -> AuthenticCall:
    """Return a call of the same caller about instances."""
    named = {f"InstanceId.{number}": each for number, each in enumerate(ids, start=1)}
    return with_form(call, {"Action": action, "Version": _VERSION, **named})


def with_form(call: AuthenticCall, form: Mapping[str, str]) -> AuthenticCall:
    """Return a call with other parameters."""
    return replace(call, call=replace(call.call, body=urlencode(form).encode()))


def ids_in(reply: Response) -> Iterator[InstanceId]:
    """Yield the ids of the instances that moto entered for RunInstances."""
    for each in _root(reply).iterfind("instancesSet/item/instanceId"):
        yield InstanceId(each.text or "")


def described(reply: Response, launch_of: Callable[[str], Launch | None]) -> Response:
    """Add to DescribeInstances how instances of ours boot, and that they have a NitroTPM."""
    root = _root(reply)
    for item in root.iterfind("reservationSet/item/instancesSet/item"):
        launch = launch_of(item.findtext("instanceId", ""))
        for name, value in _shown(launch) if launch else ():
            found = item.find(name)
            (ET.SubElement(item, name) if found is None else found).text = value
    return xml_response(root)


def _root(reply: Response) -> ET.Element:
    return bare(ET.parse(io.BytesIO(reply.get_data())).getroot())  # noqa: S314 -- moto's own words


def _shown(launch: Launch) -> Iterator[tuple[str, str]]:
    yield "bootMode", launch.image.boot_mode
    yield "currentInstanceBootMode", "uefi"
    if launch.image.tpm_support:
        yield "tpmSupport", launch.image.tpm_support
