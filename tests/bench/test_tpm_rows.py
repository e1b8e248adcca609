# SPDX-License-Identifier: Apache-2.0
"""The rows about the emulated NitroTPM run, once and tiny."""

import os

import pytest
from bench.race import PeerAbsentError, one_core
from bench.row import Deadline, Row, Unit
from bench.tpm_boot import BOOT, EXTEND
from bench.tpm_programs import ours_tcp, ours_unix, running, swtpm_tcp, swtpm_unix
from bench.tpm_rows import attestation_rows, peer_rows
from tests.tpm_commands import DIGEST_SIZES, Command, Response, selection

from bench import tpm_programs
from strongroom.formats.tpm.response_codes import Rc
from strongroom.twin.nitrotpm.tpm import NitroTpm

ONLY_THE_FIRST_IS_EARLY = [Rc.INITIALIZE, *[Rc.SUCCESS] * (len(BOOT) - 1)]


def codes(tpm, commands):
    return [Response(tpm.execute(command)).code for command in commands]


def test_nothing_that_a_boot_asks_is_refused_but_what_comes_before_startup():
    assert codes(NitroTpm(), BOOT) == ONLY_THE_FIRST_IS_EARLY


@pytest.mark.slow
@pytest.mark.parametrize("starts", [(ours_unix, swtpm_unix), (ours_tcp, swtpm_tcp)])
def test_each_way_to_a_tpm_leads_to_one_that_does_the_same_work(starts):
    read = Command("PCR_Read", (), selection(*((bank, [11]) for bank in DIGEST_SIZES))).content
    with running(*starts) as (ours, theirs):
        for tpm in (ours, theirs):
            assert codes(tpm, BOOT) == ONLY_THE_FIRST_IS_EARLY
            tpm.power_cycle()
            assert codes(tpm, [*BOOT[:2], EXTEND]) == [Rc.INITIALIZE, Rc.SUCCESS, Rc.SUCCESS]
        answer = ours.execute(read)
        assert answer == theirs.execute(read)
        assert answer.count(bytes(20)) == 0


@pytest.mark.slow
def test_every_row_has_figures():
    rows = [*peer_rows(1, commands=2), *attestation_rows(1, attestations=1)]
    assert len(rows) == 5
    assert all(row.figure("ours") and row.figure(row.goal.against) and row.ratio for row in rows)


def test_without_swtpm_rows_say_so(monkeypatch):
    monkeypatch.setattr(tpm_programs.shutil, "which", lambda _: None)
    rows = peer_rows(1, commands=1)
    assert {(row.ratio, row.reached, row.figure("ours")) for row in rows} == {(None, None, None)}
    assert all(row.remark.startswith("no swtpm") for row in rows)
    with pytest.raises(PeerAbsentError, match="Debian"), running(swtpm_unix):
        pass


@pytest.mark.parametrize(("ours", "reached"), [(0.029, True), (0.030, False)])
def test_a_deadline_is_about_our_own_time_whatever_the_ratio(ours, reached):
    seconds = {"ours": [9.0, ours, 0.0], "limit": [0.1, 0.1, 0.1]}
    row = Row("a row", Unit.MILLISECONDS, Deadline("limit", 0.030), {"limit": "the limit"}, seconds)
    assert (row.reached, row.goal_text) == (reached, "< 30 ms")
    assert row.ratio == pytest.approx(ours / 0.1)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system keeps no process on a core")
def test_one_core_is_one_core_and_only_for_a_while():
    before = os.sched_getaffinity(0)
    with one_core():
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before
