# SPDX-License-Identifier: Apache-2.0
"""Every reader of untrusted bytes, fuzzed: nothing but a refusal by name may come out (docs/testing.md, "Fuzzing")."""

import hashlib
import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
import warnings
from collections import defaultdict

import pytest
from tests.fuzz import campaign, limits, registry
from tests.fuzz.campaign import environment
from tests.fuzz.readers_met import readers_met, readers_of_untrusted_bytes

from strongroom.errors import FormatError

pytestmark = [pytest.mark.attack("A10"), pytest.mark.attack("B19")]

SECONDS = int(os.environ.get("STRONGROOM_FUZZ_SECONDS", "2"))
TARGETS = {target.name: target for target in registry.every_target()}
PLANTED = {target.name: target for target in registry.targets_of(registry.PLANTED)}
PAGE = (campaign.ROOT / "docs/testing.md").read_text()
NO_CORPUS = {"files.kind", "policies.grant-principals", "replies.s3"}
"""Targets whose seeds take every path that the fuzzer knows."""
WINDOW_BYTES = 64
FILLER = 12
"""Half a window with as few different bytes says nothing: headers hold little beside zeros."""

every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
needs_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None,
    reason="atheris is absent: it exists for Linux on x86_64 and Python up to 3.13 (docs/dependencies.md)",
)
needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of one process")


@pytest.fixture(autouse=True)
def _without_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cryptography warns of certificates that it will refuse one day
        yield


def test_targets_are_named_by_area_and_documented():
    assert len(TARGETS) == len(registry.every_target()) > 40
    assert all(re.fullmatch(r"[a-z]+\.[a-z0-9-]+", name) for name in TARGETS)
    assert all(target.area in registry.AREAS and registry.find(name) is target for name, target in TARGETS.items())
    section = PAGE.partition("\n## Fuzzing\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [^|]+ \| (`[^|]+`) \|", section, re.MULTILINE)
    assert sorted(re.findall(r"`([^`]+)`", "".join(rows))) == sorted(TARGETS), "docs/testing.md names them all"


def test_every_public_reader_of_bytes_is_met_by_a_target():
    expected = readers_of_untrusted_bytes()
    assert len(expected) > 40
    assert expected - readers_met(TARGETS.values()) == set()


@every_target
def test_the_first_seed_is_a_good_one_and_all_fit(target):
    seeds = target.seeds()
    target.once(seeds[0])
    assert max(map(len, seeds)) <= target.max_bytes
    for seed in seeds:
        target.read(seed)


@every_target
def test_every_kept_input_is_read_or_refused(target):
    for path in campaign.kept(target):
        target.read(path.read_bytes())


def test_corpora_belong_to_targets_stay_small_and_are_named_by_their_content():
    files = sorted(path for path in campaign.CORPUS.rglob("*") if path.is_file())
    assert {path.parent.name for path in files} == {*TARGETS} - NO_CORPUS
    assert len(files) > 400
    assert all(path.name == hashlib.sha1(path.read_bytes()).hexdigest() for path in files)
    assert all(path.stat().st_size <= TARGETS[path.parent.name].max_bytes for path in files)
    for target in TARGETS.values():
        assert sum(path.stat().st_size for path in campaign.kept(target)) <= campaign.MAX_CORPUS_BYTES
    assert sum(path.stat().st_size for path in files) < 1_500_000
    assert "\ntests/fuzz/corpus/** -text " in (campaign.ROOT / ".gitattributes").read_text()


def test_no_corpus_holds_any_part_of_a_genuine_document(genuine_vectors):
    genuine = {path: path.read_bytes() for path in genuine_vectors.glob("*/**/*") if path.is_file()}
    places = blocks(genuine.values())
    for path in (genuine_vectors / "documents").glob("*.cbor"):
        assert shared_windows(b"?" + genuine[path][1:], places), "it finds a planted document"
    seeds = b"\n".join(seed for target in TARGETS.values() for seed in target.seeds())
    for path in (path for target in TARGETS.values() for path in campaign.kept(target)):
        data = path.read_bytes()
        assert data not in genuine.values()
        shared = [window for window in shared_windows(data, places) if window not in seeds]
        assert not shared, f"{path}: {shared[0].hex()} stands in a genuine document, and in no seed of ours"


def blocks(genuine):
    """Return where each block of half a window stands, counted from the beginning of its file. Filler is left out."""
    half, places = WINDOW_BYTES // 2, defaultdict(list)
    for data in genuine:
        for at in range(0, len(data) - half + 1, half):
            if len({*data[at : at + half]}) > FILLER:
                places[data[at : at + half]].append((data, at))
    return places


def shared_windows(ours, places):
    """Return windows that stand in a genuine file too: each of them holds a whole block of it."""
    half, found = WINDOW_BYTES // 2, []
    for start in range(len(ours) - half + 1):
        for whole, at in places.get(ours[start : start + half], ()):
            for back in range(min(half, start, at) + 1):
                window = ours[start - back : start - back + WINDOW_BYTES]
                if len(window) == WINDOW_BYTES and whole.startswith(window, at - back):
                    found.append(window)
    return found


@pytest.mark.slow
@needs_atheris
@every_target
def test_fuzzing_finds_nothing(target, tmp_path):
    run = campaign.fuzz(target, tmp_path, seconds=SECONDS)
    assert not run.failed, run.log[-3000:]
    assert run.executions > 50 * SECONDS, "the fuzzer hardly ran"


@pytest.mark.slow
@needs_atheris
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("careless.length", "IndexError"),
        ("careless.encoding", "AssertionError"),
        ("careless.accepting", "ValueError"),
    ],
)
def test_the_fuzzer_finds_a_planted_bug_and_says_how_to_see_it_again(name, error, tmp_path):
    run = campaign.fuzz(PLANTED[name], tmp_path, seconds=60)
    assert run.failed
    assert error in run.log
    assert run.finding is not None
    assert run.finding.parent == tmp_path
    again = subprocess.run(
        shlex.split(run.again), cwd=campaign.ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert again.returncode != 0
    assert error in again.stdout + again.stderr


@pytest.mark.parametrize("options", [("--seconds", "0"), ("--seconds", "-1"), ("--jobs", "0")])
def test_a_campaign_without_an_end_or_without_hands_is_refused(options):
    command = [sys.executable, campaign.ROOT / "tools/fuzz", *options, "careless.length"]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, timeout=30)
    assert run.returncode == 2
    assert f"argument {options[0]}: expected at least 1, found {options[1]}" in run.stderr


@pytest.mark.slow
@needs_atheris
def test_what_a_run_finds_is_kept_once_and_small(tmp_path, monkeypatch):
    monkeypatch.setattr(campaign, "CORPUS", tmp_path / "corpus")
    monkeypatch.setattr(campaign, "MAX_CORPUS_BYTES", 2_000)
    target = TARGETS["bundles.table"]
    assert not campaign.fuzz(target, tmp_path / "work", seconds=2).failed
    assert campaign.keep(target, tmp_path / "work") == len(campaign.kept(target)) > 3
    assert sum(path.stat().st_size for path in campaign.kept(target)) <= 2_000
    assert campaign.keep(target, tmp_path / "work") == 0
    assert len(campaign.kept(target)) < len([*(tmp_path / "work/new").iterdir()])


def measured(*names):
    """Measure targets in processes of their own, and return their reports by name."""
    command = [sys.executable, "-m", "tests.fuzz.limits", *names]
    run = subprocess.run(command, cwd=campaign.ROOT, env=environment(), capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-3000:]
    return {report["target"]: report for report in map(json.loads, run.stdout.splitlines())}


@pytest.fixture(scope="module")
def reports():
    return measured(*TARGETS)


@pytest.mark.slow
@needs_linux
@every_target
def test_the_worst_inputs_stay_within_memory_time_and_stack(target, reports):
    report = reports[target.name]
    assert not report["broken"], report
    assert report["inputs"] > 40
    assert report["peak_bytes"] < limits.MORE_MEMORY_BYTES


@pytest.mark.slow
@needs_linux
def test_the_limits_stop_readers_that_waste_memory_stack_and_time():
    found = measured("careless.memory", "careless.depth", "careless.time")
    errors = {name: report["broken"].partition(" ")[0] for name, report in found.items()}
    assert errors == {
        "careless.memory": "MemoryError",
        "careless.depth": "RecursionError",
        "careless.time": "TooSlowError",
    }


def test_a_target_that_lets_another_error_out_is_not_refused_by_name():
    with pytest.raises(ValueError, match="4242"):
        PLANTED["careless.accepting"].read(b"4242")
    with pytest.raises(FormatError):
        PLANTED["careless.encoding"].once(b"x")
    PLANTED["careless.encoding"].read(b"x")
