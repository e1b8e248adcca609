# SPDX-License-Identifier: Apache-2.0
"""EC2 as a service: images and snapshots of ours here, everything else to moto."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from werkzeug.wrappers import Response

from strongroom.errors import FormatError, LocalFault
from strongroom.ids import Region
from strongroom.ports import Clock
from strongroom.twin.api_request import ApiRequest, Reply
from strongroom.twin.ebs.fault import EbsFault
from strongroom.twin.ebs.service import Ebs
from strongroom.twin.ebs.snapshots import snapshot_arn
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.attributes import Attributes
from strongroom.twin.images.beside_moto import IMAGES, SNAPSHOTS, Answer, Listing, merged, without, xml_response
from strongroom.twin.images.copying import Copying, KeyNames
from strongroom.twin.images.describing import describe_images
from strongroom.twin.images.faults import told
from strongroom.twin.images.image import image_arn
from strongroom.twin.images.query import operation_model, read_form, read_parameters, write_reply
from strongroom.twin.images.registering import Registering
from strongroom.twin.images.registry import ImageRegistry, Keeper
from strongroom.twin.images.snapshots import Snapshots
from strongroom.twin.images.tags import Tags
from strongroom.twin.permissions import Question
from strongroom.twin.sigv4 import AuthenticCall

Run = Callable[[ApiRequest], Reply]
_LISTINGS = {listing.operation: listing for listing in (IMAGES, SNAPSHOTS)}
_ALL = "*"
_BAD = 400


@dataclass(frozen=True, slots=True)
class _Operation:
    """One row. `named` is the parameter with the id that says whether the call is ours; without one it always is."""

    run: Run
    named: str = ""


class Images:
    """The service that hangs behind the endpoint as `ec2`. `moto` answers what is not about images of ours."""

    def __init__(self, ebs: Ebs, names: KeyNames, moto: Answer, *, clock: Clock, keeper: Keeper | None = None) -> None:
        self.registry = ImageRegistry(keeper)
        self._snapshots = ebs.snapshots
        self._moto = moto
        self._clock = clock
        registering = Registering(self.registry, ebs.snapshots)
        copying = Copying(self.registry, ebs.snapshots, ebs.keys, names)
        attributes = Attributes(self.registry)
        snapshots = Snapshots(self.registry, ebs.snapshots)
        tags = Tags(self.registry, ebs.snapshots)
        self._operations = {
            "RegisterImage": _Operation(registering.register),
            "DeregisterImage": _Operation(registering.deregister, "ImageId"),
            "CopyImage": _Operation(copying.copy_image, "SourceImageId"),
            "CopySnapshot": _Operation(copying.copy_snapshot, "SourceSnapshotId"),
            "DescribeImageAttribute": _Operation(attributes.describe, "ImageId"),
            "ModifyImageAttribute": _Operation(attributes.modify, "ImageId"),
            "DeleteSnapshot": _Operation(snapshots.delete, "SnapshotId"),
            "DescribeSnapshotAttribute": _Operation(snapshots.describe_attribute, "SnapshotId"),
            "ModifySnapshotAttribute": _Operation(snapshots.modify_attribute, "SnapshotId"),
        }
        self._tagging: dict[str, Run] = {"CreateTags": tags.create, "DeleteTags": tags.delete}
        self._lists: dict[str, Callable[[ApiRequest], list[Reply]]] = {
            "DescribeImages": lambda request: describe_images(self.registry, request),
            "DescribeSnapshots": snapshots.describe,
        }

    def answer(self, call: AuthenticCall) -> Response:
        """Carry out one call. Raises AwsFault."""
        form = read_form(call.call.body)
        action = form.get("Action", "")
        try:
            if action in _LISTINGS:
                return self._list(_LISTINGS[action], call, form)
            if action in self._tagging:
                return self._tag(action, call, form)
            row = self._operations.get(action)
            if row is None or (row.named and not self._ours(form.get(row.named, ""))):
                return self._moto(call)
            return self._run(row.run, self._request(action, call, form))
        except EbsFault as fault:
            raise told(fault) from fault
        except (OSError, LocalFault, FormatError) as error:  # what was answered before stays as it is
            raise AwsFault("InternalError", f"The twin cannot keep its images: {error}", status=500) from error

    def _ours(self, resource: str) -> bool:
        return resource in self.registry or resource in self._snapshots

    def _request(self, action: str, call: AuthenticCall, form: Mapping[str, str]) -> ApiRequest:
        parameters = read_parameters(operation_model(action), form)
        return ApiRequest(action, call, parameters, self._clock.now())

    def _run(self, run: Run, request: ApiRequest) -> Response:
        self._authorize(request)
        return xml_response(write_reply(operation_model(request.operation), run(request)))

    def _list(self, listing: Listing, call: AuthenticCall, form: Mapping[str, str]) -> Response:
        """List what is asked for: our items, and moto's unless every id that is named is ours."""
        asked = _values(form, listing.ids)
        known = [each for each in asked if self._ours(each)]
        if asked and not known:
            return self._moto(call)
        mine = without(call, form, listing.ids, set(asked) - set(known))
        request = self._request(listing.operation, call, read_form(mine.call.body))
        self._authorize(request)
        ours, theirs = self._lists[listing.operation](request), None
        if not asked or len(known) < len(asked):
            theirs = self._moto(without(call, form, listing.ids, known))
            if asked and theirs.status_code >= _BAD:
                return theirs
        return merged(listing, ours, theirs)

    def _tag(self, action: str, call: AuthenticCall, form: Mapping[str, str]) -> Response:
        """Tag our resources, and have moto tag the others of the same call."""
        asked = _values(form, "ResourceId")
        known = [each for each in asked if self._ours(each)]
        if len(known) < len(asked):
            theirs = self._moto(without(call, form, "ResourceId", known))
            if not known or theirs.status_code >= _BAD:
                return theirs
        mine = read_form(without(call, form, "ResourceId", set(asked) - set(known)).call.body)
        return self._run(self._tagging[action], self._request(action, call, mine))

    def _authorize(self, request: ApiRequest) -> None:
        """Ask the caller's policies about every resource that the call names. Raises AwsFault."""
        for resource in _resources(request):
            try:
                Question(request.authentic, f"ec2:{request.operation}", resource, request.now).expect_allowed()
            except AwsFault as fault:
                message = f"You are not authorized to perform this operation. {fault.message}"
                raise AwsFault("UnauthorizedOperation", message, status=403) from fault
        if request.flag("DryRun"):
            raise AwsFault("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412)


def _values(form: Mapping[str, str], field: str) -> list[str]:
    return [value for name, value in form.items() if name.startswith(f"{field}.")]


def _resources(request: ApiRequest) -> Iterator[str]:
    """Yield the ARNs that policies are asked about (Service Authorization Reference, actions of Amazon EC2)."""
    source = Region(request.text("SourceRegion")) if request.text("SourceRegion") else request.region
    images = [(request.region, request.text("ImageId")), (source, request.text("SourceImageId"))]
    snapshots = [(request.region, request.text("SnapshotId")), (source, request.text("SourceSnapshotId"))]
    snapshots += [
        (request.region, each.inside("Ebs").text("SnapshotId")) for each in request.each("BlockDeviceMappings")
    ]
    for name in request.texts("Resources"):
        (images if name.startswith("ami-") else snapshots).append((request.region, name))
    found = [image_arn(*each) for each in images if each[1]] + [snapshot_arn(*each) for each in snapshots if each[1]]
    if request.operation == "RegisterImage":
        found.append(image_arn(request.region))
    yield from found or [_ALL]
