# SPDX-License-Identifier: Apache-2.0
"""Every row of `make bench` runs, once and tiny. How fast it was is nobody's business here."""

import json
import re
from types import SimpleNamespace

import pytest
from bench.documents import Documents
from bench.go_peer import GoPeer
from bench.lint_rows import lint_rows
from bench.machine import describe_machine
from bench.policy_rows import policy_row
from bench.predict_rows import make_image, predict_rows
from bench.race import PeerAbsentError, cpu_time, cpu_time_without, race
from bench.row import Goal, Row, Unit
from bench.table import as_json, as_text
from bench.verify_rows import chain_rows, genuine_row

from bench import go_peer, verify_rows
from bench import race as race_module

RATE, TIME = Unit.DOCUMENTS_PER_SECOND, Unit.MILLISECONDS


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    empty = tmp_path_factory.mktemp("no-vectors")
    return [
        *chain_rows(Documents.make(2), 1),
        genuine_row(empty, 1),
        *predict_rows(make_image(100_000), 1),
        policy_row(5, 1),
        *lint_rows(1),
    ]


def row(unit, goal, ours, limit):
    return Row("a row", unit, Goal("limit", goal), {"limit": "the limit"}, {"ours": ours, "limit": limit})


def test_every_row_has_figures_or_says_what_was_absent(rows):
    assert len(rows) == 8
    for found in rows:
        figures = [found.figure("ours"), found.figure(found.goal.against), found.ratio]
        assert all(figures) or (figures == [None] * 3 and found.remark.startswith("no genuine documents"))


def test_the_table_has_the_machine_one_line_a_row_and_the_names(rows):
    machine = describe_machine()
    text = as_text(machine, rows, 1)
    heading = next(line for line in text.splitlines() if line.startswith("what "))
    assert heading.split() == ["what", "ours", "peer", "limit", "ratio", "goal", "reached"]
    for found in rows:
        line = next(line for line in text.splitlines() if line.startswith(f"{found.what}  "))
        assert re.search(r" (yes|no|-)$", line)
        assert f"{found.what}: {found.goal.against} is " in text
    for fact in ("processor", "cores", "python", "signatures", "digests", "load"):
        assert machine[fact] in text


def test_the_json_has_the_same_keys_in_every_row(rows):
    found = json.loads(json.dumps(as_json(describe_machine(), rows, 1)))
    assert found.keys() == {"machine", "rounds", "rows"}
    keys = {
        "what",
        "unit",
        "ours",
        "limit",
        "peer",
        "ratio",
        "ratio_lowest",
        "ratio_highest",
        "goal",
        "reached",
        "remark",
    }
    assert all(entry.keys() == keys for entry in found["rows"])
    assert [entry["reached"] for entry in found["rows"]].count(None) == 1


@pytest.mark.parametrize(
    ("unit", "ours", "ratio", "reached"),
    [(RATE, 0.002, 0.5, False), (RATE, 0.001, 1.0, True), (TIME, 0.002, 2.0, False), (TIME, 0.001, 1.0, True)],
)
def test_rates_have_to_be_high_and_times_low(unit, ours, ratio, reached):
    found = row(unit, 1.0, [ours], [0.001])
    assert found.ratio == pytest.approx(ratio)
    assert found.reached is reached


def test_a_ratio_is_one_of_figures_of_the_same_round():
    found = row(TIME, 1.0, ours=[1.0, 10.0, 4.0], limit=[1.0, 10.0, 1.0])
    assert (found.ratio, min(found.ratios), max(found.ratios)) == (1.0, 1.0, 4.0)
    assert found.figure("ours") == 4000


def test_contenders_take_turns_and_the_first_round_does_not_count():
    order = []
    seconds = race({name: lambda name=name: order.append(name) or float(len(order)) for name in "AB"}, rounds=2)
    assert order == ["A", "B"] * 3
    assert seconds == {"A": (3.0, 5.0), "B": (4.0, 6.0)}


def test_what_is_done_before_an_item_does_not_count(monkeypatch):
    clock = [0]
    monkeypatch.setattr(race_module, "time", SimpleNamespace(process_time=lambda: clock[0]))

    def takes(seconds):
        clock[0] += seconds

    assert cpu_time(takes, [1, 2, 3])() == 2
    assert cpu_time_without(lambda: takes(100), takes, [1, 2, 3])() == 2
    assert clock == [6 + 306]


def test_without_go_there_is_no_peer(monkeypatch):
    monkeypatch.setattr(go_peer.shutil, "which", lambda *_, **__: None)
    with pytest.raises(PeerAbsentError, match="no Go"):
        go_peer.build()


def test_a_peer_that_accepts_no_document_is_none(monkeypatch, tmp_path):
    class Refusing(GoPeer):
        def __init__(self, _program, files):
            self.verdicts = dict.fromkeys(map(str, files), "refused")

        def __exit__(self, *_):
            pass

    (tmp_path / "documents").mkdir()
    (tmp_path / "documents/enclave-1.cbor").write_bytes(b"")
    monkeypatch.setattr(verify_rows, "build", lambda: None)
    monkeypatch.setattr(verify_rows, "GoPeer", Refusing)
    found = genuine_row(tmp_path, 1)
    assert (found.figure("ours"), found.remark) == (None, "the peer accepts none of the 1 genuine documents")


@pytest.mark.slow
def test_the_peer_in_go_accepts_genuine_documents_and_refuses_forged_ones(genuine_vectors):
    try:
        program = go_peer.build()
    except PeerAbsentError as absent:
        pytest.skip(str(absent))
    files = sorted((genuine_vectors / "documents").glob("enclave-*.cbor"))
    with GoPeer(program, files) as peer:
        forged = {name: verdict for name, verdict in peer.verdicts.items() if name.endswith("-BAD.cbor")}
        accepted = sum(not verdict for verdict in peer.verdicts.values())
        assert forged
        assert all(forged.values())
        assert accepted > len(files) / 2
        assert 0 < peer.seconds(1) < 1
    found = genuine_row(genuine_vectors, 1)
    assert found.remark == f"{accepted} documents that both accept"
    assert all([found.figure("ours"), found.figure("peer"), found.ratio])
