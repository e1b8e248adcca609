# SPDX-License-Identifier: Apache-2.0
"""A statement that compares hex digits with their case, rewritten so that it does not (ATTACKS K19)."""

from __future__ import annotations

from dataclasses import replace

from strongroom.formats.tree import Node, json_path
from strongroom.keypolicy.conditions import Condition, parse_conditions
from strongroom.keypolicy.explain.facts import differs_in_case_only
from strongroom.keypolicy.model import Statement
from strongroom.keypolicy.request import KmsRequest

_LOOSE = {"StringEquals": "StringEqualsIgnoreCase", "StringNotEquals": "StringNotEqualsIgnoreCase"}


def ignoring_case(statement: Statement, request: KmsRequest) -> Statement | None:
    """Return the statement with other operators where case alone was in the way; None where it nowhere was."""
    conditions = tuple(_loose(each, request) for each in statement.conditions)
    return None if conditions == statement.conditions else replace(statement, conditions=conditions)


def _loose(condition: Condition, request: KmsRequest) -> Condition:
    operator = _LOOSE.get(condition.operator)
    if operator is None or not differs_in_case_only(condition, request.context.get(condition.lookup, ())):
        return condition
    block = {operator: {condition.key: list(condition.values)}}
    return parse_conditions(Node(block, (), json_path, "a rewritten condition"))[0]
