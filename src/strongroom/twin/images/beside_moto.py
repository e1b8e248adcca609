# SPDX-License-Identifier: Apache-2.0
"""Lists that have what moto knows and what we know: our items are put into moto's XML."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode
from xml.etree import ElementTree as ET

from botocore.model import ListShape, StructureShape
from werkzeug.wrappers import Response

from strongroom.twin.api_model import output_of
from strongroom.twin.api_request import Reply
from strongroom.twin.images.query import NAMESPACE, fill, operation_model, write_reply
from strongroom.twin.sigv4 import AuthenticCall

Answer = Callable[[AuthenticCall], Response]
_OK = 200


@dataclass(frozen=True, slots=True)
class Listing:
    """An operation that lists: its member with the list, and its parameter with ids, `ImageId.1` and on."""

    operation: str
    member: str
    ids: str


IMAGES = Listing("DescribeImages", "Images", "ImageId")
SNAPSHOTS = Listing("DescribeSnapshots", "Snapshots", "SnapshotId")


def without(call: AuthenticCall, form: Mapping[str, str], field: str, gone: Collection[str]) -> AuthenticCall:
    """Return a call that does not name some of its ids."""
    left = [value for name, value in form.items() if name.startswith(f"{field}.") and value not in gone]
    others = {name: value for name, value in form.items() if not name.startswith(f"{field}.")}
    fields = others | {f"{field}.{number}": value for number, value in enumerate(left, start=1)}
    return replace(call, call=replace(call.call, body=urlencode(fields).encode()))


def merged(listing: Listing, ours: list[Reply], reply: Response | None) -> Response:
    """Return the list: ours, and moto's where it has one. A moto that does not know a filter has nothing to add."""
    operation = operation_model(listing.operation)
    if reply is None or reply.status_code != _OK:
        return xml_response(write_reply(operation, {listing.member: ours}))
    root = bare(ET.parse(io.BytesIO(reply.get_data())).getroot())  # noqa: S314 -- moto's own words
    shape = output_of(operation).members[listing.member]
    if not isinstance(shape, ListShape) or not isinstance(shape.member, StructureShape):
        raise TypeError(f"{listing.operation} has no list of structures")
    name = str(shape.serialization["name"])
    found = root.find(name)
    below = ET.SubElement(root, name) if found is None else found
    for each in ours:
        fill(ET.SubElement(below, "item"), shape.member, each)
    return xml_response(root)


def bare(root: ET.Element) -> ET.Element:
    """Take moto's namespace away, which is not quite EC2's, and put EC2's on the whole."""
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    root.set("xmlns", NAMESPACE)
    return root


def xml_response(root: ET.Element) -> Response:
    """Return XML as a reply."""
    body = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return Response(body, mimetype="text/xml")
