# SPDX-License-Identifier: Apache-2.0
"""All images of all accounts and Regions. Every change is kept before anybody is told of it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from strongroom.ids import ImageId, SnapshotId
from strongroom.twin.api_request import View
from strongroom.twin.fault import AwsFault
from strongroom.twin.images.image import Image


class Keeper(Protocol):
    """Where images outlive the process."""

    def load(self) -> Sequence[Image]:
        """Return every image that is kept. Raises FormatError where one is damaged."""

    def keep(self, image: Image) -> None:
        """Keep an image in its new form: it is on disk on return. Raises LocalFault."""

    def forget(self, image_id: ImageId) -> None:
        """Forget an image. Raises LocalFault."""


class ImageRegistry:
    """All of them, in memory, and in a keeper where there is one. Safe to use from several threads."""

    def __init__(self, keeper: Keeper | None = None) -> None:
        self._lock = threading.RLock()
        self._keeper = keeper
        self._images = {image.image_id: image for image in (keeper.load() if keeper else ())}

    def __contains__(self, image_id: object) -> bool:
        """Whether there is such an image."""
        with self._lock:
            return image_id in self._images

    def add(self, image: Image) -> None:
        """Add an image whose name is new in its account and Region. Raises AwsFault, and LocalFault."""
        with self._lock:
            for other in self._images.values():
                same_place = (other.account_id, other.region) == (image.account_id, image.region)
                if same_place and other.name == image.name:
                    raise AwsFault(
                        "InvalidAMIName.Duplicate", f"AMI name {image.name} is already in use by AMI {other.image_id}"
                    )
            self._keep(image)

    def change(self, image_id: ImageId, change: Callable[[Image], Image]) -> None:
        """Replace an image by what `change` makes of its latest value. Raises LocalFault."""
        with self._lock:
            self._keep(change(self._images[image_id]))

    def remove(self, image_id: ImageId) -> None:
        """Remove an image. Raises LocalFault."""
        with self._lock:
            if self._keeper is not None:
                self._keeper.forget(image_id)
            self._images.pop(image_id, None)

    def seen(self, image_id: ImageId, view: View) -> Image:
        """Return an image that an account may see. Raises AwsFault (InvalidAMIID.NotFound)."""
        with self._lock:
            image = self._images.get(image_id)
        if image is None or image.region != view.region or not image.open_to(view.account_id):
            raise unknown_image(image_id)
        return image

    def owned(self, image_id: ImageId, view: View) -> Image:
        """Return an image of an account's own. Raises AwsFault: AuthFailure for one that it may only see."""
        image = self.seen(image_id, view)
        if image.account_id != view.account_id:
            raise AwsFault("AuthFailure", f"Not authorized for image:{image_id}", status=403)
        return image

    def visible(self, view: View) -> list[Image]:
        """Return every image that an account may see in a Region, oldest first."""
        with self._lock:
            found = [image for image in self._images.values() if image.region == view.region]
        seen = [image for image in found if image.open_to(view.account_id)]
        return sorted(seen, key=lambda image: (image.created, image.image_id))

    def users_of(self, snapshot_id: SnapshotId) -> list[ImageId]:
        """Return the images that are made of a snapshot."""
        with self._lock:
            return [image.image_id for image in self._images.values() if snapshot_id in image.snapshots]

    def _keep(self, image: Image) -> None:
        if self._keeper is not None:
            self._keeper.keep(image)
        self._images[image.image_id] = image


def unknown_image(image_id: str) -> AwsFault:
    """Make the error of an image that is not there, or not for this caller: which of the two is not said."""
    return AwsFault("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
