# SPDX-License-Identifier: Apache-2.0
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.cli.output import console, wrapped

PROSE = "  note: " + "this speaks of the boot state " * 5
DIGEST = "PCR4   " + "ab" * 48


class Screen(io.StringIO):
    def __init__(self, *, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.fixture
def shown(monkeypatch):
    """Print lines as commands do, to a terminal of 80 columns or to a pipe; return what arrived."""

    def call(*lines, terminal):
        screen = Screen(terminal=terminal)
        monkeypatch.setattr("sys.stdout", screen)
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setenv("TERM", "dumb")
        out = console()
        for line in lines:
            out.print(line, markup=False)
        return screen.getvalue()

    return call


def test_prose_wraps_at_the_width_of_a_terminal_under_its_own_indentation(shown):
    lines = shown(PROSE, terminal=True).splitlines()
    assert len(lines) == 2
    assert all(len(line) <= 80 and line.startswith("  ") for line in lines)
    assert " ".join(line.strip() for line in lines) == PROSE.strip()


def test_a_digest_stays_whole_on_a_terminal_too(shown):
    assert shown(DIGEST, terminal=True) == f"{DIGEST}\n"


def test_a_pipe_gets_one_line_for_each(shown):
    assert shown(PROSE, DIGEST, terminal=False) == f"{PROSE}\n{DIGEST}\n"


@given(st.text("ab -", max_size=200), st.integers(10, 90))
def test_wrapping_loses_no_word_and_breaks_none(line, width):
    assert wrapped(line, width).split() == line.split()
