# SPDX-License-Identifier: Apache-2.0
"""Filters of DescribeImages and DescribeSnapshots: any value of a filter, all filters (EC2 API Reference, Filter).

Values are compared in full, with * for any characters and ? for one; a backslash takes them by their letter.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

from strongroom.keypolicy.patterns import Exact, wildcard
from strongroom.twin.api_request import ApiRequest
from strongroom.twin.images.faults import invalid_value

Traits = Mapping[str, Sequence[str]]
"""What a resource has, by the name of the filter. A filter that is not among them is no filter."""
_PIECES = re.compile(r"\\(.)?|[^\\]+", re.DOTALL)


def matches(request: ApiRequest, traits: Traits, tags: Mapping[str, str]) -> bool:
    """Tell whether a resource passes every filter of a call. Raises AwsFault for a filter that does not exist."""
    return all(_passes(each, traits, tags) for each in request.each("Filters"))


def _passes(asked: ApiRequest, traits: Traits, tags: Mapping[str, str]) -> bool:
    name = asked.text("Name")
    if name.startswith("tag:"):
        key = name.removeprefix("tag:")
        seen: Sequence[str] = (tags[key],) if key in tags else ()
    elif name == "tag-key":
        seen = tuple(tags)
    elif name in traits:
        seen = traits[name]
    else:
        raise invalid_value(f"The filter '{name[:64]}' is invalid")
    return any(_pattern(value).fullmatch(each) for value in asked.texts("Values") for each in seen)


@functools.lru_cache(maxsize=256)
def _pattern(value: str) -> re.Pattern[str]:
    return wildcard(
        *(Exact(found[1] or found[0]) if found[0][0] == "\\" else found[0] for found in _PIECES.finditer(value))
    )


def said(flag: bool) -> tuple[str]:  # noqa: FBT001 -- it is the value
    """Return a boolean as filters have it."""
    return ("true" if flag else "false",)
