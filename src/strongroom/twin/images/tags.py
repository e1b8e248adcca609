# SPDX-License-Identifier: Apache-2.0
"""Tags of images and snapshots: at their making, and by CreateTags and DeleteTags (EC2 API Reference)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from strongroom.ids import ImageId, SnapshotId
from strongroom.twin.api_request import ApiRequest, Reply
from strongroom.twin.ebs.store import SnapshotStore
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.faults import invalid_value, missing
from strongroom.twin.images.registry import ImageRegistry

MAX_TAGS = 50
_MAX_KEY, _MAX_VALUE = 128, 256


def tags_for(request: ApiRequest, resource: str) -> dict[str, str]:
    """Return the tags that a call has for one kind of resource, such as `image`. Raises AwsFault."""
    found: dict[str, str] = {}
    for each in request.each("TagSpecifications"):
        if each.text("ResourceType") == resource:
            found |= each.tags()
    _refuse(found)
    return found


def _refuse(tags: Mapping[str, str]) -> None:
    if len(tags) > MAX_TAGS:
        raise AwsFault("TagLimitExceeded", f"A resource has at most {MAX_TAGS} tags.")
    for key, value in tags.items():
        if not 1 <= len(key) <= _MAX_KEY or len(value) > _MAX_VALUE or key.lower().startswith("aws:"):
            raise invalid_value(
                f"Tag keys have 1 to {_MAX_KEY} characters and do not start with aws:, values {_MAX_VALUE}."
            )


class Tags:
    """CreateTags and DeleteTags on images and snapshots of the caller's own."""

    def __init__(self, images: ImageRegistry, snapshots: SnapshotStore) -> None:
        self._images = images
        self._snapshots = snapshots

    def create(self, request: ApiRequest) -> Reply:
        """CreateTags."""
        if not request.tags():
            raise missing("Tags")
        return self._change(request, lambda tags: {**tags, **request.tags()})

    def delete(self, request: ApiRequest) -> Reply:
        """DeleteTags: those with a value only where they have it; without any tag, all of them."""
        asked = [(each.text("Key"), each.parameters.get("Value")) for each in request.each("Tags")]

        def left(tags: Mapping[str, str]) -> dict[str, str]:
            gone = {key for key, value in asked if value is None or tags.get(key) == value} if asked else set(tags)
            return {key: value for key, value in tags.items() if key not in gone}

        return self._change(request, left)

    def _change(self, request: ApiRequest, change: Callable[[Mapping[str, str]], dict[str, str]]) -> Reply:
        for name in request.texts("Resources"):
            if name in self._images:
                image = self._images.owned(ImageId(name), request.view)
                _refuse(change(image.tags))
                self._images.change(image.image_id, lambda latest: replace(latest, tags=change(latest.tags)))
            else:
                entry = self._snapshots.owned(SnapshotId(name), request.view)
                _refuse(change(entry.snapshot.tags))
                self._snapshots.change(entry, lambda latest: replace(latest, tags=change(latest.tags)))
        return {}
