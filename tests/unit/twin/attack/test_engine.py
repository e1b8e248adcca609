# SPDX-License-Identifier: Apache-2.0
"""A row shows something only when its attack works without the guard."""

import threading

import pytest

from strongroom.errors import LocalFault, UsageError
from strongroom.twin.attack.engine import all_stopped, expect_distinct, run_rows, select_rows
from strongroom.twin.attack.row import NotPlayed, Reached, Row, Stopped, Verdict

STOPPED, REACHED, NOT_PLAYED = Stopped("the gate", "shut"), Reached("the secret"), NotPlayed("no tool")


def row(name="one", attack="B1", *, play=lambda _: STOPPED, without=lambda _: REACHED, guards=("the gate",)):
    return Row(name, attack, "an attack", guards, "the gate", play, without)


def verdict(**plays):
    (result,) = run_rows([row(**plays)], None)
    return result.verdict


def test_stopped_by_its_guard_and_working_without_it_is_what_counts():
    assert verdict() is Verdict.STOPPED
    assert verdict(guards=("a wall", "the gate")) is Verdict.STOPPED


@pytest.mark.parametrize("without", [STOPPED, NOT_PLAYED])
def test_an_attack_that_never_worked_was_not_run(without):
    assert verdict(without=lambda _: without) is Verdict.NOT_RUN


def test_an_attack_that_was_not_tried_against_the_guard_was_not_run():
    assert verdict(play=lambda _: NOT_PLAYED) is Verdict.NOT_RUN


@pytest.mark.parametrize("without", [STOPPED, REACHED, NOT_PLAYED])
def test_an_attack_that_gets_through_is_never_hidden(without):
    assert verdict(play=lambda _: REACHED, without=lambda _: without) is Verdict.GOT_THROUGH


def test_another_guard_is_not_the_one_that_was_expected():
    assert verdict(guards=("a wall",)) is Verdict.OTHER_GUARD


def test_an_error_of_ours_is_a_row_that_was_not_run():
    def fails(_):
        raise LocalFault("attack.tool", "no mcopy")

    (result,) = run_rows([row(play=fails)], None)
    assert (result.with_guard, result.verdict) == (NotPlayed("attack.tool: no mcopy"), Verdict.NOT_RUN)


def test_a_mistake_in_a_row_is_raised():
    with pytest.raises(ZeroDivisionError):
        run_rows([row(play=lambda _: 1 // 0)], None)


def test_both_plays_run_at_once():
    meeting = threading.Barrier(2, timeout=10)

    def meets(ending):
        def play(_):
            meeting.wait()
            return ending

        return play

    assert verdict(play=meets(STOPPED), without=meets(REACHED)) is Verdict.STOPPED


def test_results_come_in_the_order_of_the_rows_and_each_is_heard():
    heard = []
    results = run_rows([row(name) for name in "abc"], None, heard=heard.append)
    assert [each.name for each in results] == ["a", "b", "c"]
    assert heard == list(results)


def test_no_rows_show_nothing():
    assert not all_stopped(run_rows([], None))


@pytest.mark.parametrize("other", [{"play": lambda _: REACHED}, {"without": lambda _: STOPPED}, {"guards": ("wall",)}])
def test_one_row_that_is_not_stopped_is_enough(other):
    assert all_stopped(run_rows([row("a"), row("b")], None))
    assert not all_stopped(run_rows([row("a"), row("b", **other)], None))


def test_rows_are_chosen_by_name_or_attack():
    rows = [row("driver", "B20"), row("program", "B20"), row("old", "B7")]
    assert [each.name for each in select_rows(rows, ["B20"])] == ["driver", "program"]
    assert [each.name for each in select_rows(rows, ["old", "program"])] == ["program", "old"]
    assert list(select_rows(rows, [])) == rows
    with pytest.raises(UsageError, match="driver, program, old"):
        select_rows(rows, ["B99"])


def test_two_rows_of_one_name_are_a_mistake():
    expect_distinct([row("a"), row("b")])
    with pytest.raises(ValueError, match="each name once"):
        expect_distinct([row("a"), row("a")])
