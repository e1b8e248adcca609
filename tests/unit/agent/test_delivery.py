# SPDX-License-Identifier: Apache-2.0
import os
import random
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from strongroom.agent import delivery, medium
from strongroom.agent.delivery import PART_PREFIX, Owner, deliver
from strongroom.agent.medium import UnsafeDiskDelivery, expect_memory, file_system_of
from strongroom.errors import FormatError, LocalFault, UsageError

SRC = Path(__file__).parents[3] / "src"
ME = Owner(os.geteuid(), os.getegid())
NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="giving files to another user and mounting need root")


@pytest.fixture
def memory():
    """A folder on tmpfs that only we may write in."""
    folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def code_of(kind, *arguments, **named) -> str:
    with pytest.raises(kind) as caught:
        deliver(*arguments, **{"owner": ME} | named)
    code: str = caught.value.code
    return code


BECOME = """
import os, sys
from pathlib import Path
from strongroom.agent.delivery import Owner, deliver
from strongroom.errors import StrongroomError
def become(uid):
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program that may `become` another user; the interpreter itself may lie where only root can read."""
    return subprocess.run(
        [sys.executable, "-c", BECOME + program, *arguments],
        env={"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_secret_is_delivered_for_its_owner_only(memory):
    (path,) = deliver({"password": b"secret"}, memory, owner=ME)
    assert path == memory / "password"
    assert path.read_bytes() == b"secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o400
    assert [entry.name for entry in memory.iterdir()] == ["password"]


def test_entries_with_folders_stand_in_folders_that_nobody_lists(memory):
    deliver({"tls/key.pem": b"key", "tls/cert.pem": b"cert"}, memory, owner=ME)
    assert (memory / "tls/key.pem").read_bytes() == b"key"
    assert (memory / "tls/cert.pem").read_bytes() == b"cert"
    assert stat.S_IMODE((memory / "tls").stat().st_mode) & 0o066 == 0


def test_a_narrow_umask_does_not_lock_the_owner_out(memory):
    before = os.umask(0o077)
    try:
        deliver({"tls/key.pem": b"key"}, memory, owner=ME)
    finally:
        os.umask(before)
    assert stat.S_IMODE((memory / "tls").stat().st_mode) == 0o711


def test_a_folder_of_entries_that_others_may_write_in_is_refused(memory):
    (memory / "tls").mkdir()
    (memory / "tls").chmod(0o777)
    assert code_of(LocalFault, {"tls/key.pem": b"1"}, memory) == "delivery.open-folder"
    assert list((memory / "tls").iterdir()) == []


def test_a_new_value_replaces_the_old_one(memory):
    deliver({"password": b"old and longer"}, memory, owner=ME)
    deliver({"password": b"new"}, memory, owner=ME)
    assert (memory / "password").read_bytes() == b"new"


@needs_root
def test_a_group_may_be_let_in(memory):
    deliver({"password": b"secret"}, memory, owner=Owner(NOBODY, NOBODY), mode=0o440)
    state = (memory / "password").stat()
    assert (stat.S_IMODE(state.st_mode), state.st_uid, state.st_gid) == (0o440, NOBODY, NOBODY)


@needs_root
def test_files_are_given_away_by_whoever_may_do_that_and_no_more(memory):
    """The agent's unit leaves it one capability, CAP_CHOWN: bit 0 (capability.h)."""
    program = (
        "import ctypes\n"
        "prctl = ctypes.CDLL(None).prctl\n"
        "[prctl(24, bit, 0, 0, 0) for bit in range(1, 41)]\n"  # PR_CAPBSET_DROP
        "os.execv(sys.executable, [sys.executable, '-c', sys.argv[2], *sys.argv])\n"
    )
    hand_over = "from pathlib import Path\nfrom strongroom.agent.delivery import Owner, deliver\nimport sys\n"
    hand_over += f"deliver({{'a/b': b'x'}}, Path(sys.argv[2]), owner=Owner({NOBODY}, {NOBODY}), mode=0o440)\n"
    done = run(program, str(memory), hand_over)
    assert done.stderr == ""
    assert (memory / "a/b").stat().st_uid == NOBODY


@needs_root
def test_the_chosen_owner_reads_it_and_nobody_else(memory):
    deliver({"password": b"secret"}, memory, owner=Owner(NOBODY, NOBODY))
    read = "become(int(sys.argv[2])); print(open(sys.argv[1]).read())"
    assert run(read, str(memory / "password"), str(NOBODY)).stdout == "secret\n"
    assert "PermissionError" in run(read, str(memory / "password"), str(NOBODY - 1)).stderr


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "/etc/passwd",
        "../escape",
        "a/../../b",
        "a//b",
        "a/",
        "/",
        "a\0b",
        "a\nb",
        "a b",
        "ä",
        "~",
        "a\\b",
        f"{PART_PREFIX}0123456789abcdef",
        "x" * 256,
        "/".join(["x" * 100] * 6),
    ],
)
def test_a_name_that_could_lead_elsewhere_stops_everything(memory, name):
    assert code_of(FormatError, {"good": b"1", name: b"2"}, memory) == "delivery.name"
    assert list(memory.iterdir()) == []


def test_a_relative_folder_is_refused():
    assert code_of(UsageError, {"a": b"1"}, Path("relative")) == "delivery.relative"
    assert code_of(UsageError, {"a": b"1"}, Path("/dev/shm/../shm")) == "delivery.relative"


def test_a_missing_folder_is_refused(memory):
    assert code_of(LocalFault, {"a": b"1"}, memory / "absent") == "delivery.no-folder"


def test_no_link_on_the_way_is_followed(memory):
    (memory / "real").mkdir()
    (memory / "link").symlink_to(memory / "real")
    (memory / "real/inner").mkdir()
    for folder in ("link", "link/inner"):
        assert code_of(LocalFault, {"a": b"1"}, memory / folder) == "delivery.no-folder"
    assert code_of(LocalFault, {"link/a": b"1"}, memory) == "delivery.no-folder"
    assert list((memory / "real").iterdir()) == [memory / "real/inner"]


def test_a_link_in_the_place_of_the_secret_is_replaced_and_not_followed(memory):
    (memory / "victim").write_bytes(b"untouched")
    (memory / "password").symlink_to(memory / "victim")
    deliver({"password": b"secret"}, memory, owner=ME)
    assert (memory / "victim").read_bytes() == b"untouched"
    assert not (memory / "password").is_symlink()


def test_a_planted_part_is_replaced_and_not_followed(memory):
    (memory / "victim").write_bytes(b"untouched")
    (memory / f"{PART_PREFIX}0123456789abcdef").symlink_to(memory / "victim")
    deliver({"password": b"secret"}, memory, owner=ME)
    assert (memory / "victim").read_bytes() == b"untouched"
    assert [entry.name for entry in memory.iterdir() if entry.name != "victim"] == ["password"]
    assert (memory / "password").read_bytes() == b"secret"


def test_two_deliveries_at_a_time_never_exchange_their_secrets(memory, monkeypatch):
    real = os.fsync

    def interrupted(descriptor: int) -> None:
        """While the first waits for the disk, another agent delivers into the same folder."""
        monkeypatch.setattr(os, "fsync", real)
        real(descriptor)
        deliver({"other": b"of the other"}, memory, owner=ME)

    monkeypatch.setattr(os, "fsync", interrupted)
    assert code_of(LocalFault, {"first": b"of the first"}, memory) == "delivery.unwritable"
    assert {entry.name: entry.read_bytes() for entry in memory.iterdir()} == {"other": b"of the other"}


def test_a_part_of_another_delivery_is_never_renamed(memory, monkeypatch):
    real = os.fsync

    def interrupted(descriptor: int) -> None:
        """While the first waits for the disk, another agent replaces every part it finds by its own."""
        real(descriptor)
        for entry in memory.iterdir():
            entry.unlink()
        (memory / f"{PART_PREFIX}fedcba9876543210").write_bytes(b"of the other")

    monkeypatch.setattr(os, "fsync", interrupted)
    assert code_of(LocalFault, {"first": b"of the first"}, memory) == "delivery.unwritable"
    assert not (memory / "first").exists()


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o1777])
def test_a_folder_that_others_may_write_in_is_refused(memory, mode):
    memory.chmod(mode)
    assert code_of(LocalFault, {"a": b"1"}, memory) == "delivery.open-folder"


@needs_root
def test_a_folder_that_belongs_to_another_user_is_refused(memory):
    os.chown(memory, NOBODY, NOBODY)
    assert code_of(LocalFault, {"a": b"1"}, memory) == "delivery.open-folder"


@pytest.mark.parametrize("name", ["tls/key", "tls/private/key"])
def test_a_folder_on_the_way_that_others_may_write_in_is_refused(memory, name):
    (memory / "tls/private").mkdir(parents=True)
    (memory / "tls").chmod(0o777)
    assert code_of(LocalFault, {name: b"1"}, memory) == "delivery.open-folder"
    assert list((memory / "tls").rglob("key")) == []


@needs_root
def test_a_folder_on_the_way_that_belongs_to_another_user_is_refused(memory):
    (memory / "tls").mkdir()
    os.chown(memory / "tls", NOBODY, NOBODY)
    assert code_of(LocalFault, {"tls/key": b"1"}, memory) == "delivery.open-folder"


def test_folders_can_be_passed_whatever_the_umask_is(memory):
    before = os.umask(0o077)
    try:
        deliver({"tls/private/key": b"1"}, memory, owner=ME)
    finally:
        os.umask(before)
    assert {stat.S_IMODE((memory / name).stat().st_mode) for name in ("tls", "tls/private")} == {0o711}


def test_a_folder_in_the_place_of_the_secret_stays(memory):
    (memory / "password").mkdir()
    assert code_of(LocalFault, {"password": b"1"}, memory) == "delivery.unwritable"
    assert [entry.name for entry in memory.iterdir()] == ["password"]


def test_a_file_in_the_place_of_a_folder_stays(memory):
    (memory / "tls").write_bytes(b"file")
    assert code_of(LocalFault, {"tls/key": b"1"}, memory) == "delivery.no-folder"
    assert (memory / "tls").read_bytes() == b"file"


def fake_mounts(monkeypatch, folder: Path, kind: str) -> None:
    device = folder.stat().st_dev
    line = f"36 35 {os.major(device)}:{os.minor(device)} / / rw,noatime shared:1 - {kind} none rw\n"
    monkeypatch.setattr(medium, "_read_mounts", lambda: line)


@pytest.mark.attack("K17")
@pytest.mark.parametrize("kind", ["ext4", "xfs", "overlay", "nfs4"])
def test_a_secret_is_not_delivered_to_a_disk(memory, monkeypatch, kind):
    fake_mounts(monkeypatch, memory, kind)
    assert code_of(LocalFault, {"a": b"1", "tls/key": b"1"}, memory) == "delivery.on-disk"
    assert code_of(LocalFault, {"tls/key": b"1"}, memory) == "delivery.on-disk"
    assert list(memory.iterdir()) == []


@needs_root
@pytest.mark.attack("K17")
def test_a_disk_mounted_below_the_folder_gets_no_secret(memory, tmp_path):
    """The folder itself is in memory; one on the way to the entry is not."""
    (memory / "tls").mkdir()
    program = (
        "try: deliver({'tls/key': b'x'}, Path(sys.argv[1]), owner=Owner(0, 0))\n"
        "except StrongroomError as error: print(error.code)\n"
    )
    mount = 'mount --bind "$1" "$2/tls" && exec "$3" -c "$4" "$2"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, "sh", tmp_path, memory, sys.executable, BECOME + program],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "delivery.on-disk\n", done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.attack("K17")
def test_the_folder_of_each_entry_must_be_in_memory(memory, monkeypatch):
    def only_the_outermost(descriptor, shown, **_):
        if os.fstat(descriptor).st_ino != memory.stat().st_ino:
            raise LocalFault("delivery.on-disk", f"{shown} is a disk")

    monkeypatch.setattr(delivery, "expect_memory", only_the_outermost)
    assert code_of(LocalFault, {"tls/key": b"1"}, memory) == "delivery.on-disk"
    assert list((memory / "tls").iterdir()) == []


def test_ramfs_is_memory_too(memory, monkeypatch):
    fake_mounts(monkeypatch, memory, "ramfs")
    assert deliver({"a": b"1"}, memory, owner=ME)


def test_an_unknown_file_system_is_no_memory(memory, monkeypatch):
    monkeypatch.setattr(medium, "_read_mounts", lambda: "nonsense\n1 2 0:0 / / rw - tmpfs none rw\n")
    assert code_of(LocalFault, {"a": b"1"}, memory) == "delivery.on-disk"


def test_a_disk_is_taken_when_somebody_insists(memory, monkeypatch):
    fake_mounts(monkeypatch, memory, "ext4")
    deliver({"a": b"1"}, memory, owner=ME, unsafe_disk=UnsafeDiskDelivery("a rehearsal on a laptop"))
    assert (memory / "a").read_bytes() == b"1"


def test_other_systems_have_no_tmpfs_to_rely_on(memory, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert code_of(LocalFault, {"a": b"1"}, memory) == "delivery.no-tmpfs"


def test_without_proc_nothing_is_assumed(memory, monkeypatch, tmp_path):
    monkeypatch.setattr(medium, "_MOUNTS", tmp_path / "absent")
    assert code_of(LocalFault, {"a": b"1"}, memory) == "delivery.no-proc"


def test_the_file_system_is_read_from_the_right_column():
    mounts = (
        "22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw\n"
        "25 22 0:23 / /run rw,nosuid - tmpfs tmpfs rw,mode=755\n"
    )
    assert file_system_of(os.makedev(0, 23), mounts=mounts) == "tmpfs"
    assert file_system_of(os.makedev(259, 1), mounts=mounts) == "ext4"
    assert file_system_of(os.makedev(9, 9), mounts=mounts) is None


def test_the_medium_of_this_machine_is_recognised(memory):
    descriptor = os.open(memory, os.O_RDONLY)
    try:
        expect_memory(descriptor, memory)
    finally:
        os.close(descriptor)


FILL = """
import os, resource, sys
from pathlib import Path
from strongroom.agent.delivery import Owner, deliver
from strongroom.errors import LocalFault
folder = Path(sys.argv[1])
me = Owner(os.geteuid(), os.getegid())
deliver({"password": b"old"}, folder, owner=me)
if sys.argv[2] == "limit":
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
try:
    deliver({"password": b"n" * (1 << 20)}, folder, owner=me)
except LocalFault as error:
    print(error.code, (folder / "password").read_bytes().decode(), sorted(os.listdir(folder)))
"""


def test_no_room_keeps_the_old_secret_and_leaves_nothing_behind(memory):
    done = run(FILL, str(memory), "limit")
    assert done.stdout == "delivery.unwritable old ['password']\n", done.stderr


@needs_root
def test_a_full_tmpfs_keeps_the_old_secret_and_leaves_nothing_behind(memory):
    mount = 'mount -t tmpfs -o size=64k,mode=0755 none "$1" && exec "$2" -c "$3" "$1" full'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", mount, "sh", str(memory), sys.executable, FILL],
        env=os.environ | {"PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.stderr.startswith("unshare:"):
        pytest.skip(f"this root may not mount a file system of its own: {done.stderr.strip()}")
    assert done.stdout == "delivery.unwritable old ['password']\n", done.stderr


@needs_root
def test_an_agent_without_the_right_to_give_files_away_says_so(memory):
    os.chown(memory, NOBODY, NOBODY)
    program = (
        "become(65534)\n"
        "try: deliver({'password': b'x'}, Path(sys.argv[1]), owner=Owner(0, 0))\n"
        "except StrongroomError as error: print(error.code, list(Path(sys.argv[1]).iterdir()))\n"
    )
    assert run(program, str(memory)).stdout == "delivery.unwritable []\n"


def test_a_folder_that_cannot_be_made_is_reported(memory, monkeypatch):
    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "mkdir", refuse)
    assert code_of(LocalFault, {"tls/key": b"x"}, memory) == "delivery.unwritable"


LOOP = """
import os, sys
from pathlib import Path
from strongroom.agent.delivery import Owner, deliver
me = Owner(os.geteuid(), os.getegid())
print("ready", flush=True)
while True:
    for letter in (b"a", b"b"):
        deliver({"password": letter * 300_000}, Path(sys.argv[1]), owner=me)
"""


@pytest.mark.slow
def test_kill_9_at_any_instant_leaves_a_whole_secret(memory):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for _ in range(12):
        with subprocess.Popen(
            [sys.executable, "-c", LOOP, str(memory)], env={"PYTHONPATH": str(SRC)}, stdout=subprocess.PIPE
        ) as agent:
            assert agent.stdout is not None
            agent.stdout.readline()
            time.sleep(chance.uniform(0.005, 0.05))
            agent.kill()
        found = (memory / "password").read_bytes()
        assert len(found) == 300_000, f"seed {seed}"
        assert len(set(found)) == 1, f"seed {seed}"
        others = {entry.name for entry in memory.iterdir()} - {"password"}
        assert all(name.startswith(PART_PREFIX) for name in others)
    deliver({"password": b"last"}, memory, owner=ME)
    assert [entry.name for entry in memory.iterdir()] == ["password"]
