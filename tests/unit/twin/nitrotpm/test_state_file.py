# SPDX-License-Identifier: Apache-2.0
"""The file that an emulated NitroTPM keeps its state in: what was acknowledged is there, whatever ends the process."""

import dataclasses
import errno
import json
import os
import random
import signal
import stat
import subprocess
import sys

import pytest
from tests.conformance.tpm_stories.nv_commands import COUNTER, INDEX, NO_DA, ORDERLY, PLAIN, define, read, write
from tests.tpm_commands import (
    EMPTY,
    OWNER,
    PLATFORM,
    SHA256,
    Command,
    Response,
    digests,
    password,
    send,
    sized,
    u16,
    u32,
)
from tests.tpm_templates import SRK_ECC, SRK_RSA, to_create

from strongroom.errors import FormatError, LocalFault
from strongroom.flows import files
from strongroom.formats.tpm.public_area import PublicArea
from strongroom.twin.nitrotpm.state.file import StateFile, parse_state
from strongroom.twin.nitrotpm.state.values import from_json, to_json
from strongroom.twin.nitrotpm.tpm import NitroTpm

NV_UNAVAILABLE = 0x923
INCREMENT = Command("NV_Increment", (OWNER, INDEX), b"", EMPTY)
KILLS = 12
WRITER = """
import sys
from pathlib import Path
from tests.conformance.tpm_stories.nv_commands import INDEX, PLAIN, define, write
from tests.tpm_commands import Response, send, u16
from strongroom.twin.nitrotpm.state.file import StateFile
from strongroom.twin.nitrotpm.tpm import NitroTpm

tpm = NitroTpm(StateFile(Path(sys.argv[1])))
assert send(tpm, "Startup", (), u16(0)).code == 0
tpm.execute(define(PLAIN, 8).content)
number = int(sys.argv[2])
while True:
    number += 1
    assert Response(tpm.execute(write(number.to_bytes(8)).content)).code == 0
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tpm.json"


def started(store):
    tpm = NitroTpm(store)
    assert send(tpm, "Startup", (), u16(0)).code == 0
    return tpm


def do(tpm, *commands):
    for command in commands:
        response = Response(tpm.execute(command.content))
        assert response.code == 0, f"{command.name}: {response.code:#x}"
    return response


def lived_in(store):
    """Return a TPM that remembers something of every kind."""
    tpm = started(store)
    do(
        tpm,
        define(PLAIN, 16, auth=b"auth"),
        write(b"data"),
        define(PLAIN & ~NO_DA, 8, auth=b"auth", index=INDEX + 1),
        Command("SetPrimaryPolicy", (OWNER,), sized(bytes(32)) + u16(SHA256), EMPTY),
    )
    for handle, template in ((0x81000001, SRK_RSA), (0x81000002, SRK_ECC)):
        made = send(tpm, "CreatePrimary", (OWNER,), to_create(template), EMPTY)
        assert send(tpm, "EvictControl", (OWNER, made.handle), u32(handle), EMPTY).code == 0
    only = u32(1) + u16(4) + b"\3\0\0\0"
    do(tpm, Command("PCR_Allocate", (PLATFORM,), only, EMPTY))
    tpm.cut_power()
    do(
        tpm,
        Command("Startup", (), u16(0)),
        Command("HierarchyChangeAuth", (PLATFORM,), sized(b"platform"), EMPTY),
        Command("PCR_Extend", (0,), digests((SHA256, bytes(32))), EMPTY),
    )
    guess = write(b"x", by=INDEX + 1, index=INDEX + 1, areas=(password(b"wrong"),))
    assert Response(tpm.execute(guess.content)).code == 0x98E
    do(tpm, Command("Shutdown", (), u16(1)))
    return tpm


def test_everything_that_a_tpm_remembers_comes_back(path):
    with StateFile(path) as store:
        remembered = lived_in(store)._chip.permanent
        assert remembered.orderly is not None
        assert remembered.banks is not None
        assert remembered.lockout.failures == 1
        assert len(remembered.objects) == len(remembered.nv) == 2
        assert remembered.primary_rsa
    with StateFile(path) as store:
        assert store.load() == remembered
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_another_process_goes_on_where_the_first_ended(path):
    with StateFile(path) as store:
        public = send(lived_in(store), "ReadPublic", (0x81000001,)).parameters()
    with StateFile(path) as store:
        tpm = NitroTpm(store)
        assert send(tpm, "Startup", (), u16(1)).code == 0
        assert send(tpm, "ReadPublic", (0x81000001,)).parameters() == public
        assert do(tpm, read(4)).sized() == b"data"
        platform = Command("HierarchyChangeAuth", (PLATFORM,), sized(), (password(b"platform"),))
        do(tpm, platform)


def test_a_new_process_without_a_shutdown_is_a_loss_of_power(path):
    with StateFile(path) as store:
        tpm = started(store)
        do(tpm, define(PLAIN | COUNTER | ORDERLY, 8), INCREMENT, INCREMENT)
        do(tpm, define(PLAIN | ORDERLY, 8, index=INDEX + 1), write(b"x", index=INDEX + 1))
    with StateFile(path) as store:
        tpm = started(store)
        assert int.from_bytes(do(tpm, read(8)).sized()) == 255
        assert Response(tpm.execute(read(1, index=INDEX + 1).content)).code == 0x14A


def test_orderly_data_is_written_with_a_shutdown_or_when_its_counter_has_come_far(path):
    with StateFile(path) as store:
        tpm = started(store)
        do(tpm, define(PLAIN | COUNTER | ORDERLY, 8), INCREMENT)
        writes = []
        store.save = lambda _: writes.append(len(writes))
        do(tpm, *[INCREMENT] * 254)
        assert writes == []
        do(tpm, INCREMENT)
        assert len(writes) == 1
        do(tpm, INCREMENT, Command("Shutdown", (), u16(0)))
        assert len(writes) == 2


def test_what_changes_nothing_writes_nothing(path):
    with StateFile(path) as store:
        tpm = started(store)
        before = path.stat().st_mtime_ns, path.stat().st_ino
        send(tpm, "GetRandom", (), u16(8))
        send(tpm, "PCR_Extend", (0,), digests((SHA256, bytes(32))), EMPTY)
        send(tpm, "NV_ReadPublic", (INDEX,))
        assert (path.stat().st_mtime_ns, path.stat().st_ino) == before


def test_the_clock_is_kept_now_and_then(path):
    now = [0]
    with StateFile(path) as store:
        tpm = NitroTpm(store, monotonic_ms=lambda: now[0])
        send(tpm, "Startup", (), u16(0))
        now[0] = 4095
        send(tpm, "ReadClock")
        assert store.load().clock_ms == 0
        now[0] = 4096
        send(tpm, "ReadClock")
        assert store.load().clock_ms == 4096


@pytest.mark.slow
def test_killed_at_any_instant_it_has_what_was_acknowledged(path):
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    instants = random.Random(seed)
    last = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", WRITER, str(path), str(last)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(instants.randrange(1, 40)):
                last = int(process.stdout.readline())
            os.kill(process.pid, signal.SIGKILL)
            said = process.stdout.read().split("\n")[:-1]
        last = int(said[-1]) if said else last
        with StateFile(path) as store:
            kept = int.from_bytes(store.load().nv[INDEX].data)
        assert last <= kept <= last + 1, f"seed {seed}"
        last = kept
    assert last > KILLS


def test_two_processes_are_refused_one_file(path):
    with StateFile(path):
        with pytest.raises(LocalFault) as refused:
            StateFile(path)
        assert refused.value.code == "twin.tpm-state-in-use"
        assert "keep this TPM elsewhere" in refused.value.remedy
        child = subprocess.run(
            [sys.executable, "-c", WRITER, str(path), "0"], capture_output=True, text=True, timeout=60, check=False
        )
        assert "twin.tpm-state-in-use" in child.stderr or "a process that has it" in child.stderr
    StateFile(path).close()


def test_a_closed_file_is_not_written(path):
    store = StateFile(path)
    tpm = started(store)
    store.close()
    store.close()
    with pytest.raises(RuntimeError, match="closed"):
        do(tpm, define(PLAIN, 8))


@pytest.fixture
def full_disk(monkeypatch):
    """A disk that is full while its `full` says so."""

    class Disk:
        full = False

    def write_durably(part, data, mode, *, really=files._write_durably):
        if Disk.full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        really(part, data, mode)

    monkeypatch.setattr(files, "_write_durably", write_durably)
    return Disk


def test_on_a_full_disk_nothing_is_acknowledged_nor_shown(path, full_disk):
    with StateFile(path) as store:
        tpm = started(store)
        do(tpm, define(PLAIN, 8), write(b"before"))
        kept = path.read_bytes()
        full_disk.full = True
        assert Response(tpm.execute(write(b"after!").content)).code == NV_UNAVAILABLE
        assert path.read_bytes() == kept
        for command in (read(6), write(b"again!"), Command("GetRandom", (), u16(8))):
            assert Response(tpm.execute(command.content)).code == NV_UNAVAILABLE
        full_disk.full = False
        assert do(tpm, read(6)).sized() == b"after!"
        assert bytes(store.load().nv[INDEX].data[:6]) == b"after!"
        assert [each.name for each in path.parent.iterdir() if each.name.endswith(".part")] == []


def test_a_full_disk_does_not_stop_what_changes_nothing(path, full_disk):
    with StateFile(path) as store:
        tpm = started(store)
        full_disk.full = True
        assert send(tpm, "GetRandom", (), u16(8)).code == 0


def _changed(path, **changes):
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, **changes}))


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "no JSON": lambda path: path.write_bytes(b"\xff" + path.read_bytes()),
    "deep": lambda path: path.write_bytes(b"[" * 100_000),
    "a list": lambda path: path.write_bytes(b"[]"),
    "another format": lambda path: _changed(path, format="else"),
    "another checksum": lambda path: _changed(path, sha256="0" * 64),
    "no checksum": lambda path: _changed(path, sha256=None),
    "one field more": lambda path: _changed(path, more=1),
    "no state": lambda path: _changed(path, state={}),
    "one bit": lambda path: path.write_bytes(path.read_bytes().replace(b'"reset_count":1', b'"reset_count":3')),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_refused_and_left_as_it_is(path, damage):
    with StateFile(path) as store:
        started(store)
    DAMAGES[damage](path)
    damaged = path.read_bytes()
    with StateFile(path) as store:
        with pytest.raises(FormatError) as refused:
            NitroTpm(store)
        assert refused.value.code == ("file.empty" if damage == "empty" else "twin.tpm-state")
    assert path.read_bytes() == damaged


@pytest.mark.parametrize("version", [0, 2, "1", None, True])
def test_another_version_is_refused_and_left_as_it_is(path, version):
    with StateFile(path) as store:
        started(store)
    _changed(path, version=version)
    other = path.read_bytes()
    with StateFile(path) as store:
        with pytest.raises(FormatError) as refused:
            store.load()
        assert refused.value.code == "twin.tpm-state-version"
        assert "Strongroom" in refused.value.remedy
    assert path.read_bytes() == other


def test_a_state_that_is_not_shaped_as_one_is_refused_even_with_a_checksum(path):
    with StateFile(path) as store:
        permanent = lived_in(store)._chip.permanent
        good = json.loads(json.dumps(to_json(permanent)))
    for spoilt in _spoilt(good):
        with pytest.raises(FormatError):
            from_json(type(permanent), spoilt, "state")


def _spoilt(good):
    """Yield the state with each of its fields gone, and with each of another kind."""
    for name in good:
        yield {key: value for key, value in good.items() if key != name}
        yield {**good, name: 1.5}
        yield {**good, name: {"no": "record"}}
    yield {**good, "owner": {**good["owner"], "seed": "no base64!"}}
    yield {**good, "owner": {**good["owner"], "handle": 7}}
    yield {**good, "nv": [[1, 2, 3]]}
    yield {**good, "banks": [[4]]}
    yield {**good, "reset_count": True}
    yield {**good, "clear_disabled": 1}


def test_a_folder_that_is_not_there_is_refused_by_name(tmp_path):
    with pytest.raises(LocalFault) as refused:
        StateFile(tmp_path / "nowhere" / "tpm.json")
    assert refused.value.code == "twin.tpm-state-folder"


def test_a_state_holds_what_it_knows_the_kind_of():
    with pytest.raises(TypeError, match="float is not part"):
        to_json(1.5)
    with pytest.raises(TypeError, match="not the type"):
        from_json("int", 1, "state")


def test_public_areas_are_kept_as_the_tpm_encodes_them(path):
    with StateFile(path) as store:
        permanent = lived_in(store)._chip.permanent
    for each in permanent.objects.values():
        assert from_json(PublicArea, to_json(each.public), "public") == each.public
        assert dataclasses.replace(each) == each


def test_the_bytes_of_a_file_are_enough(path):
    with StateFile(path) as store:
        permanent = lived_in(store)._chip.permanent
    assert parse_state(path.read_bytes(), path) == permanent
