# SPDX-License-Identifier: Apache-2.0
import pytest

from strongroom.imaging.audit.systemd.arguments import given, is_off, is_on
from strongroom.imaging.audit.systemd.unit_file import Unit, is_false, is_true, settings, split_words


def read(text):
    return tuple(settings("/a.service", enumerate(text.splitlines(), 1)))


def unit(text):
    return Unit("a.service", "/a.service", assignments=read(text))


def test_assignments_have_section_key_value_and_place():
    (only,) = read("# a\n; b\n[Service]\n\n ExecStart = /bin/a  b \nnothing\n")
    assert (only.section, only.key, only.value, only.path, only.line) == (
        *("Service", "ExecStart", "/bin/a  b"),
        *("/a.service", 5),
    )


def test_what_stands_before_any_section_is_nothing():
    assert read("Wants=a.service\n[Unit]\nWants=b.service\n")[0].value == "b.service"
    assert len(read("Wants=a.service\n[Unit]\nWants=b.service\n")) == 1


def test_a_backslash_joins_lines_and_comments_between_them_are_left_out():
    (only,) = read("[Service]\nExecStart=/bin/a \\\n# not this\n  --b \\\n  --c\n")
    assert only.value.split() == ["/bin/a", "--b", "--c"]
    assert only.line == 2


def test_a_last_line_that_ends_in_a_backslash_counts():
    assert read("[Unit]\nWants=a.service \\")[0].value == "a.service"


def test_an_empty_assignment_takes_back_what_stood_before():
    found = unit("[Unit]\nWants=a.service b.service\nWants=\nWants=c.service\nWants=d.service\n")
    assert found.words("Unit", "Wants") == ("c.service", "d.service")


def test_the_last_value_of_a_key_counts_where_there_is_one():
    found = unit("[Timer]\nUnit=a.service\nUnit=b.service\n")
    assert found.last("Timer", "Unit", "x") == "b.service"
    assert found.last("Timer", "OnCalendar", "x") == "x"
    assert found.kind == "service"


def test_words_are_unquoted_and_a_lost_quote_does_no_harm():
    assert split_words("\"A=b c\" 'd'") == ["A=b c", "d"]
    assert split_words("it's b") == ["it's", "b"]


@pytest.mark.parametrize("word", ["1", "yes", "Y", "true", "T", " on "])
def test_words_for_true(word):
    assert is_true(word)
    assert not is_false(word)


@pytest.mark.parametrize("word", ["0", "no", "N", "false", "F", "off"])
def test_words_for_false(word):
    assert is_false(word)
    assert not is_true(word)


def test_other_words_are_neither():
    assert not is_true("maybe")
    assert not is_false("")


def test_the_last_value_of_a_switch_counts_and_nonsense_is_passed_over():
    line = (("systemd.a", "yes"), ("systemd.a", "no"), ("systemd.a", "maybe"))
    assert is_off(line, "systemd.a")
    assert is_on((*line, ("systemd.a", None)), "systemd.a")
    assert not is_on((), "systemd.a")
    assert not is_off((), "systemd.a")


def test_words_for_the_initrd_count_there_and_nowhere_else():
    line = (("rd.systemd.gpt-auto", "0"),)
    assert is_off(line, "systemd.gpt_auto", initrd=True)
    assert not is_off(line, "systemd.gpt_auto")
    assert list(given((("systemd.a", "1"), *line), "systemd.gpt_auto", initrd=True)) == ["0"]
