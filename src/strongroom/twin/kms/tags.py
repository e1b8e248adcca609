# SPDX-License-Identifier: Apache-2.0
"""TagResource, UntagResource, ListResourceTags (KMS API Reference), and reading a list of tags."""

from __future__ import annotations

from dataclasses import replace

from strongroom.twin.fault import AwsFault
from strongroom.twin.kms.authorization import authorize, expect_kept
from strongroom.twin.kms.keys import Key
from strongroom.twin.kms.paging import page
from strongroom.twin.kms.parameters import Parameters
from strongroom.twin.kms.replies import managed_key
from strongroom.twin.kms.request import Operation, Question, Reply, Request
from strongroom.twin.kms.store import KeyStore

MAX_TAGS = 50
"""Of one key (AWS General Reference, "Tagging AWS resources")."""
MAX_LIST = 1000
MAX_KEY, MAX_VALUE = 128, 256
_RESERVED = "aws:"


class Tags:
    """The operations; each takes the request and its parameters, and raises AwsFault."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    def operations(self) -> dict[str, Operation]:
        """Return the rows of this family."""
        return {
            "ListResourceTags": Operation(self.list_resource_tags, shown=("KeyId", "Limit", "Marker")),
            "TagResource": Operation(self.tag_resource, read_only=False, shown=("KeyId", "Tags")),
            "UntagResource": Operation(self.untag_resource, read_only=False, shown=("KeyId", "TagKeys")),
        }

    def tag_resource(self, request: Request, parameters: Parameters) -> None:
        """TagResource: a tag that is there gets the new value."""
        tags = read_tags(parameters)
        key = self._kept(request, parameters, tags)

        def tagged(now: Key) -> Key:
            merged = {**now.tags, **tags}
            if len(merged) > MAX_TAGS:
                raise AwsFault("LimitExceededException", f"A key has at most {MAX_TAGS} tags, not {len(merged)}.")
            return replace(now, tags=merged)

        self._store.change_key(key.arn, tagged)

    def untag_resource(self, request: Request, parameters: Parameters) -> None:
        """UntagResource: a tag that is not there is no error."""
        names = parameters.texts("TagKeys", maximum=MAX_LIST, longest=MAX_KEY)
        key = self._kept(request, parameters, dict.fromkeys(names, ""))
        _expect_free(*names)
        self._store.change_key(
            key.arn, lambda now: replace(now, tags={name: each for name, each in now.tags.items() if name not in names})
        )

    def list_resource_tags(self, request: Request, parameters: Parameters) -> Reply:
        """ListResourceTags."""
        key = managed_key(request, parameters, self._store)
        names, more = page(parameters, sorted(key.tags), name=str, default=50, maximum=50)
        return {"Tags": [{"TagKey": name, "TagValue": key.tags[name]} for name in names], **more}

    def _kept(self, request: Request, parameters: Parameters, tags: dict[str, str]) -> Key:
        key = self._store.resolve_key(request.place, parameters.text("KeyId"))
        authorize(request, key, Question(tags=tags))
        expect_kept(key)
        return key


def read_tags(parameters: Parameters) -> dict[str, str]:
    """Return the Tags of a call. Raises AwsFault (TagException) for a tag that stands there twice or is AWS's own."""
    tags: dict[str, str] = {}
    for each in parameters.structures("Tags", maximum=MAX_LIST):
        name = each.text("TagKey", maximum=MAX_KEY)
        _expect_free(name)
        if name in tags:
            raise AwsFault("TagException", f"Duplicate tag keys: {name}")
        tags[name] = each.text("TagValue", minimum=0, maximum=MAX_VALUE)
    return tags


def _expect_free(*names: str) -> None:
    for name in names:
        if name.lower().startswith(_RESERVED):
            raise AwsFault("TagException", f"Tag keys that begin with {_RESERVED} are AWS's own: {name}")
