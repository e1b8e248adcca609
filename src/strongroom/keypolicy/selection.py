# SPDX-License-Identifier: Apache-2.0
"""The Action, NotAction, Resource and NotResource elements of a statement.

IAM User Guide, "IAM JSON policy elements: Action", "... NotAction", "... Resource", "... NotResource".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from strongroom.formats.tree import Node, shown
from strongroom.keypolicy.grammar import strings
from strongroom.keypolicy.patterns import any_of, has_wildcard
from strongroom.keypolicy.principals import Sense
from strongroom.keypolicy.variables import Context, Template, parse_resource_template


@dataclass(frozen=True, slots=True)
class Actions:
    """Which actions a statement is about: `texts`, or all others."""

    sense: Sense
    texts: tuple[str, ...]
    matches: Callable[[str], bool] = field(compare=False, repr=False)

    def covers(self, action: str) -> bool:
        """Tell whether the element covers an action, given in lower case."""
        return self.matches(action) is (self.sense is Sense.LISTED)


@dataclass(frozen=True, slots=True)
class Resources:
    """Which resources a statement is about: `texts`, or all others. `matches` fills variables from the request."""

    sense: Sense
    texts: tuple[str, ...]
    matches: Callable[[str, Context], bool] = field(compare=False, repr=False)

    def covers(self, resource: str, context: Context) -> bool:
        """Tell whether the element covers a resource of a request."""
        return self.matches(resource, context) is (self.sense is Sense.LISTED)


def one_of(node: Node, members: Mapping[str, Node], name: str) -> tuple[Sense, Node]:
    """Return the element that is there, `name` or `Notname`. Raises FormatError for none and for both."""
    found = [sense for sense in Sense if sense + name in members]
    if len(found) != 1:
        raise node.refused("field.missing", f"expected either {name} or Not{name}, found {len(found)} of them")
    return found[0], members[found[0] + name]


def parse_actions(node: Node, members: Mapping[str, Node]) -> Actions:
    """Parse Action or NotAction. Raises FormatError."""
    sense, element = one_of(node, members, "Action")
    texts = strings(element)
    for text in texts:
        if text != "*" and (":" not in text or has_wildcard(text.partition(":")[0])):
            raise element.refused("keypolicy.action", f"expected an action such as kms:Decrypt, found {shown(text)}")
    # Action names are not case-sensitive (IAM User Guide, Action).
    return Actions(sense, texts, any_of((text.lower(),) for text in texts))


def parse_resources(node: Node, members: Mapping[str, Node]) -> Resources:
    """Parse Resource or NotResource. Raises FormatError."""
    sense, element = one_of(node, members, "Resource")
    texts = strings(element)
    templates = tuple(_parse_resource(element, text) for text in texts)
    return Resources(sense, texts, _matcher(templates))


def _parse_resource(element: Node, text: str) -> Template:
    if text != "*" and not text.startswith("arn:"):
        raise element.refused("keypolicy.resource", f"expected * or an ARN, found {shown(text)}")
    try:
        return parse_resource_template(text)
    except ValueError as error:
        raise element.refused("keypolicy.variable", str(error)) from error


def _matcher(templates: tuple[Template, ...]) -> Callable[[str, Context], bool]:
    fixed = tuple(text for text in (template.fixed for template in templates) if text is not None)
    if fixed == (("*",),):
        return lambda _resource, _context: True
    if len(fixed) == len(templates):
        test = any_of(fixed)
        return lambda resource, _context: test(resource)

    def matches(resource: str, context: Context) -> bool:
        filled = (template.filled(context) for template in templates)
        return any_of(text for text in filled if text is not None)(resource)

    return matches
