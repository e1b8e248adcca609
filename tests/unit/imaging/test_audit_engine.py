# SPDX-License-Identifier: Apache-2.0
"""The audit applies every rule whose parts are there, and says which it did not apply."""

import stat

import pytest

from strongroom.errors import FormatError, Severity
from strongroom.formats.audit_waivers import Waiver
from strongroom.formats.partition import Profile
from strongroom.imaging.audit.engine import apply_rules
from strongroom.imaging.audit.rule import Fault, Rule
from strongroom.imaging.audit.rules import RULES
from strongroom.imaging.audit.subject import Part, Subject
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import memory_tree


def tree(**files):
    return memory_tree((Node(path=path, mode=stat.S_IFREG | 0o644), text.encode()) for path, text in files.items())


def subject(**files):
    return Subject(Profile.PRODUCTION, tree=tree(**files))


def rule(check, **changes):
    fields = {"code": "audit.r", "severity": Severity.ERROR, "title": "t", "why": "w", "fix": "f", "check": check}
    return Rule(**fields | changes)


def one_fault(_):
    yield Fault("/a", "m")


def unreadable(_):
    yield Fault("/a", "m")
    raise FormatError("a.b", "expected x")


def codes(found):
    return {each.rule.code for each in found.found}


def test_an_error_counts_and_a_warning_does_not():
    assert not apply_rules(subject(), rules=[rule(one_fault)]).passed
    warned = apply_rules(subject(), rules=[rule(one_fault, severity=Severity.WARNING)])
    assert warned.passed
    assert len(warned.found) == 1


def test_errors_come_first():
    found = apply_rules(subject(), rules=[rule(one_fault, severity=Severity.NOTE), rule(one_fault, code="audit.e")])
    assert [each.rule.severity for each in found.found] == [Severity.ERROR, Severity.NOTE]


def test_a_rule_without_its_part_is_reported_as_not_applied():
    found = apply_rules(subject(), rules=[rule(one_fault, needs=frozenset({Part.INITRD, Part.TREE}))])
    assert found.found == ()
    assert [(each.rule.code, each.missing) for each in found.not_applied] == [("audit.r", (Part.INITRD,))]


def test_what_a_rule_cannot_read_is_a_fault_beside_what_it_found_before():
    found = apply_rules(subject(), rules=[rule(unreadable)])
    assert [each.fault.message for each in found.found] == ["m", "expected to read what this rule looks at: expected x"]
    assert not found.passed


def test_a_waiver_gives_its_reason_and_only_where_a_rule_may_be_waived():
    waived = apply_rules(subject(), rules=[rule(one_fault)], waivers=[Waiver("audit.r", "a lab")])
    assert waived.passed
    assert [each.waiver for each in waived.found] == ["a lab"]
    assert not apply_rules(
        subject(), rules=[rule(one_fault, waivable=False)], waivers=[Waiver("audit.r", "a lab")]
    ).passed
    assert not apply_rules(subject(), rules=[rule(one_fault)], waivers=[Waiver("audit.other", "a lab")]).passed


def test_a_waiver_with_a_path_covers_just_what_fits():
    for path, covered in (("/a", True), ("/*", True), ("/b", False), ("/a*b", False)):
        assert apply_rules(subject(), rules=[rule(one_fault)], waivers=[Waiver("audit.r", "w", path)]).passed is covered


def test_a_debug_image_is_found_and_no_waiver_helps():
    debug = subject(**{"/etc/os-release": "VARIANT_ID='debug'\n"})
    assert "audit.debug-variant" in codes(apply_rules(debug))
    assert not apply_rules(debug, waivers=[Waiver(code, "all of them") for code in RULES]).passed
    assert "audit.debug-variant" not in codes(apply_rules(subject(**{"/etc/os-release": "VARIANT_ID=production\n"})))


def test_a_rule_may_not_look_at_a_part_it_does_not_name():
    with pytest.raises(RuntimeError):
        _ = Subject(Profile.PRODUCTION).files


def test_words_of_the_command_line_are_split_as_the_kernel_does():
    words = Subject(Profile.PRODUCTION, command_line='ro a=1 a=2 "b=c d" e="f g" --').arguments
    assert words == (("ro", None), ("a", "1"), ("a", "2"), ("b", "c d"), ("e", "f g"), ("--", None))
    assert Subject(Profile.PRODUCTION, command_line="a=1 a=2 a").values("a") == ("1", "2", None)
