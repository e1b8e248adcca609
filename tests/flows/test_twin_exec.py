# SPDX-License-Identifier: Apache-2.0
"""`strongroom twin exec` as a user runs it: whole processes, from the project's files to what the app reads."""

import contextlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.processes import wait_until
from tests.twin_exec_project import INITECH, KEY, PASSWORD, VendorFolder, write_project
from tests.twin_world import small_uki

pytestmark = pytest.mark.slow

CANARY = b"canary-5d1e77"
TELL = """
import json, os, sys
place = os.environ["STRONGROOM_SECRETS"]
found = {}
for folder, _, names in os.walk(place):
    for name in names:
        path = os.path.join(folder, name)
        state = os.stat(path)
        with open(path, "rb") as file:
            found[os.path.relpath(path, place)] = [file.read().hex(), oct(state.st_mode), state.st_uid]
core = [line.split()[4:6] for line in open("/proc/self/limits") if line.startswith("Max core file")]
print(json.dumps({"place": place, "files": found, "core": core, "in": sys.stdin.read()}))
"""
"""An app that tells what it got."""
WAIT = """
import os, signal, sys, time
signal.signal(signal.SIGUSR1, lambda *_: os.write(1, b"SIGUSR1" + bytes([10])))  # print may be at work
print(os.environ["STRONGROOM_SECRETS"], os.getpid(), flush=True)
while True:
    time.sleep(0.05)
"""
"""An app that says where its secrets are, and stays."""


class Vendor:
    """A project, and a memory of its own for what is delivered."""

    def __init__(self, project: VendorFolder, memory: Path) -> None:
        self.project = project
        self.memory = memory
        self.environment = os.environ | {
            "XDG_RUNTIME_DIR": str(memory),
            "HOME": str(project.folder / "home"),
            "TMPDIR": str(project.folder / "tmp"),
        }
        (project.folder / "tmp").mkdir()

    def start(self, *options: object, app: tuple[str, ...], **more: str) -> "subprocess.Popen[bytes]":
        """Start `strongroom twin exec` for globex, unless the options say otherwise."""
        tenant = () if "--tenant" in options else ("--tenant", "globex")
        # Tests in the background, or under nohup, inherit that these are ignored.
        before = {each: signal.signal(each, signal.SIG_DFL) for each in (signal.SIGINT, signal.SIGHUP)}
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "strongroom", "twin", "exec", *tenant, *map(str, options), "--", *app],
                cwd=self.project.folder,
                env=self.environment | more,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def run(
        self, *options: object, app: tuple[str, ...], stdin: bytes = b"", **more: str
    ) -> "subprocess.CompletedProcess[bytes]":
        """Run it to its end."""
        with self.start(*options, app=app, **more) as process:
            out, err = process.communicate(stdin, timeout=60)
        return subprocess.CompletedProcess((), process.returncode, out, err)

    def left(self) -> list[Path]:
        """Return what is in memory."""
        return list(self.memory.rglob("*"))

    @contextlib.contextmanager
    def waiting(self, *options: object) -> "Iterator[tuple[subprocess.Popen[bytes], Path, int]]":
        """Run an app that waits: the run, where its secrets are, and its process id."""
        with self.start(*options, app=(sys.executable, "-c", WAIT)) as process:
            assert process.stdout
            assert process.stderr
            line = process.stdout.readline().split()
            assert line, process.stderr.read()
            try:
                yield process, Path(line[0].decode()), int(line[1])
            finally:
                process.kill()
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(line[1]), signal.SIGKILL)

    def strongroom(self, *words: str) -> None:
        """Run another command, which has to succeed."""
        run = [sys.executable, "-m", "strongroom", *words]
        subprocess.run(run, cwd=self.project.folder, env=self.environment, check=True, capture_output=True)


@pytest.fixture
def vendor(tmp_path):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        yield Vendor(write_project(tmp_path), Path(memory))


def tell(done: "subprocess.CompletedProcess[bytes]") -> dict[str, object]:
    assert done.returncode == 0, done.stderr.decode()
    told: dict[str, object] = json.loads(done.stdout)
    return told


TELLING = (sys.executable, "-c", TELL)


def test_an_app_gets_its_secrets_byte_for_byte_in_memory_and_nothing_is_left(vendor):
    told = tell(vendor.run(app=TELLING, stdin=b"for the app"))
    expected = {
        "db-password/db-password": PASSWORD,
        "tls/key.der": KEY,
        "tls/chain.pem": b"not a secret\n",
    }
    mode = oct(stat.S_IFREG | 0o400)
    assert told["files"] == {name: [content.hex(), mode, os.geteuid()] for name, content in expected.items()}
    assert Path(str(told["place"])).parent == vendor.memory
    assert told["in"] == "for the app"
    assert told["core"] == [["0", "0"]], "no core dump of the app holds a secret"
    assert vendor.left() == []


def test_another_tenant_gets_another_secret_too(vendor):
    told = tell(vendor.run("--tenant", "initech", "--secret", "initech-only", app=TELLING))
    assert list(told["files"]) == ["initech-only/db-password"]


def test_a_vendor_may_be_its_own_tenant(vendor):
    vendor.project.add('\n[tenants.ourselves]\naccounts = ["111111111111"]\n')
    assert "tls/key.der" in tell(vendor.run("--tenant", "ourselves", app=TELLING))["files"]


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("exit 6", 6), ("exit 200", 200), ("kill -9 $$", 137)])
def test_it_ends_as_the_app_does_and_says_nothing_on_its_stdout(vendor, script, code):
    done = vendor.run(app=("/bin/sh", "-c", f"echo theirs; {script}"))
    assert (done.returncode, done.stdout) == (code, b"theirs\n")
    assert b"[" not in done.stderr, "no code of ours: the app ran"
    assert vendor.left() == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_app_and_then_the_secrets_go(vendor, sent):
    with vendor.waiting() as (process, place, _):
        assert (place / "tls/key.der").read_bytes() == KEY
        process.send_signal(sent)
        process.communicate(timeout=20)
    assert process.returncode == 128 + sent
    assert vendor.left() == []


def test_a_signal_that_the_app_takes_is_passed_on(vendor):
    with vendor.waiting() as (process, place, _):
        process.send_signal(signal.SIGUSR1)
        assert process.stdout
        assert process.stdout.readline() == b"SIGUSR1\n"
        assert place.is_dir()


def test_an_app_that_is_killed_leaves_nothing(vendor):
    with vendor.waiting() as (process, _, app):
        os.kill(app, signal.SIGKILL)
        process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGKILL
    assert vendor.left() == []


def test_what_a_kill_of_ourselves_leaves_goes_with_the_next_run(vendor):
    with vendor.waiting() as (process, place, _):
        process.kill()
        process.wait()
        assert (place / "tls/key.der").exists(), "nobody could remove it"
        with vendor.waiting() as (_, living, _):
            assert not place.exists()
            assert tell(vendor.run(app=TELLING))["files"]
            assert (living / "tls/key.der").read_bytes() == KEY, "a run that goes on keeps its secrets"


@pytest.mark.parametrize("moment", ["while it starts", "while it delivers"])
def test_ended_at_any_moment_it_leaves_nothing(vendor, moment):
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for sent in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        after = chance.uniform(0.1, 1.2) if moment == "while it starts" else chance.uniform(0, 0.01)
        with vendor.start(app=("/bin/sleep", "30")) as process:
            if moment == "while it delivers":
                wait_until(vendor.left, "nothing was delivered", pause=0.0005)
            time.sleep(after)
            process.send_signal(sent)
            process.communicate(timeout=20)
        assert process.returncode in {-sent, 128 + sent}, (seed, sent, after)
        assert vendor.left() == [], (seed, sent, after)


def test_while_the_app_runs_no_other_thread_takes_its_signals(vendor):
    with vendor.waiting() as (process, _, _):
        status = Path(f"/proc/{process.pid}/status").read_text()
    assert "Threads:\t1\n" in status


@pytest.mark.attack("K17")
def test_while_the_app_runs_the_secrets_are_in_its_folder_only(vendor):
    size = 64 << 20
    (vendor.project.folder / "secrets/db-password").write_bytes(os.urandom(size))
    with vendor.waiting("--secret", "db-password") as (process, place, _):
        status = Path(f"/proc/{process.pid}/status").read_text()
        assert (place / "db-password/db-password").stat().st_size == size
    most, now = (int(status.partition(name)[2].split()[0]) << 10 for name in ("VmHWM:", "VmRSS:"))
    assert most - now > 2 * size, "what was sealed, what was opened, and the bundle between them"


def test_a_changed_byte_is_refused_with_the_reason_and_the_app_never_starts(vendor):
    vendor.strongroom("measure", "app.efi", "-o", "app.json")
    options, app = ("--image", "app.efi", "--measurements", "app.json"), ("/bin/sh", "-c", "touch ran")
    ran = vendor.project.folder / "ran"
    assert vendor.run(*options, app=app).returncode == 0
    ran.unlink()
    vendor.project.change_a_byte()
    done = vendor.run(*options, app=app)
    assert done.returncode == 6
    assert not ran.exists()
    assert vendor.left() == []
    said = done.stderr.decode()
    expected = json.loads((vendor.project.folder / "app.json").read_text())["Measurements"]["PCR4"]
    assert "The twin knows why: statement DenyUnlessPcr4 of the key policy denies kms:Decrypt" in said
    assert f"PCR 4: expected {expected} (app.json)" in said
    assert "PCR 4: found    " in said
    assert "Sections of the image that are others: .cmdline" in said
    assert "--measurements FILE" in said
    assert "[kms.access-denied]" in said
    vendor.strongroom("measure", "app.efi", "-o", "new.json")
    assert json.loads((vendor.project.folder / "new.json").read_text())["Measurements"]["PCR4"] in said
    assert vendor.run(*options, "--measurements", "new.json", app=app).returncode == 0, "both are admitted now"


def test_measurements_without_their_image_are_told_what_is_missing(vendor):
    vendor.strongroom("measure", "app.efi", "-o", "app.json")
    done = vendor.run("--measurements", "app.json", app=("/bin/true",))
    assert done.returncode == 6
    assert b"A stand-in booted, which the key does not open for" in done.stderr


def test_a_change_of_the_stub_is_no_change_of_a_section(vendor):
    vendor.strongroom("measure", "app.efi", "-o", "app.json")
    vendor.project.change_a_byte(".text")
    done = vendor.run("--image", "app.efi", "--measurements", "app.json", app=("/bin/true",))
    assert done.returncode == 6
    assert b"others: none; it is the stub or a header" in done.stderr


def test_aws_file_of_measurements_admits_the_image_too(vendor):
    vendor.strongroom("measure", "app.efi", "--aws", "-o", "aws.json")
    options = ("--image", "app.efi", "--measurements", "aws.json")
    assert vendor.run(*options, app=("/bin/true",)).returncode == 0
    done = vendor.run(*options, "--change-a-byte", app=("/bin/true",))
    assert done.returncode == 6
    assert b"Sections of the image" not in done.stderr, "AWS's file does not say what they were"


@pytest.mark.parametrize("image", [(), ("--image", "app.efi")])
def test_a_byte_can_be_changed_without_touching_the_file(vendor, image):
    before = vendor.project.image.read_bytes()
    done = vendor.run(*image, "--change-a-byte", "--json", app=("/bin/sh", "-c", "echo ran"))
    assert done.returncode == 6
    error = json.loads(done.stdout)["error"]
    assert (error["code"], error["statement"]) == ("kms.access-denied", "DenyUnlessPcr4")
    assert "--change-a-byte" in error["remedy"]
    assert [note[:5] for note in error["notes"][1:3]] == ["PCR 4", "PCR 4"]
    assert vendor.project.image.read_bytes() == before


def test_an_image_that_the_firmware_cannot_read_boots_nowhere(vendor):
    vendor.strongroom("measure", "app.efi", "-o", "app.json")
    vendor.project.image.write_bytes(small_uki(kernel=b"x").replace(b"PE\0\0", b"PX\0\0"))
    done = vendor.run("--image", "app.efi", "--measurements", "app.json", app=("/bin/sh", "-c", "echo ran"))
    assert (done.returncode, done.stdout) == (3, b"")


def test_the_account_of_another_tenant_is_refused_by_the_agent(vendor):
    done = vendor.run("--account", INITECH, app=("/bin/sh", "-c", "echo ran"))
    assert (done.returncode, done.stdout) == (5, b"")
    assert b"[bundle.account]" in done.stderr
    assert vendor.run("--account", "222222222223", app=("/bin/true",)).returncode == 0, "another one of its own"


def test_the_projects_signer_signs_where_its_key_is_at_hand(vendor):
    assert (
        b"signed  by a signer made for this run (strongroom.toml has no active" in vendor.run(app=("/bin/true",)).stderr
    )
    vendor.strongroom("signer", "new", "main")
    assert b"signed  by main\n" in vendor.run(app=("/bin/true",)).stderr
    key = vendor.project.folder / "home/.config/strongroom/acme/main.pem"
    key.chmod(0o644)
    done = vendor.run(app=("/bin/true",))
    assert done.returncode == 0
    assert b"a signer made for this run (main: expected " in done.stderr
    vendor.strongroom("signer", "new", "other", "--private-key", "other.pem")
    key.chmod(0o600)
    key.write_bytes((vendor.project.folder / "other.pem").read_bytes())
    assert b"signed  by other\n" in vendor.run(app=("/bin/true",)).stderr


def test_settings_and_proxies_of_the_user_have_no_say_and_reach_the_app(vendor):
    nowhere = "http://127.0.0.1:9"
    names = {"AWS_PROFILE": "none", "AWS_ENDPOINT_URL": nowhere, "HTTP_PROXY": nowhere, "all_proxy": nowhere}
    told = vendor.run(app=(sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))"), **names)
    assert told.returncode == 0, told.stderr
    environment = json.loads(told.stdout)
    place = environment.pop("STRONGROOM_SECRETS")
    assert place.startswith(str(vendor.memory))
    ours = {"LC_CTYPE"}  # Python sets it in every process, in the C locale
    assert {k: v for k, v in environment.items() if k not in ours} == {
        k: v for k, v in (vendor.environment | names).items() if k not in ours
    }


def test_as_json_it_says_what_was_delivered_on_stderr(vendor):
    done = vendor.run("--json", "--image", "app.efi", app=("/bin/sh", "-c", "echo theirs"))
    assert done.stdout == b"theirs\n"
    said = json.loads(done.stderr)
    assert Path(said.pop("folder")).parent == vendor.memory
    assert said == {
        "ok": True,
        "tenant": "globex",
        "account": "222222222222",
        "region": "eu-west-3",
        "image": "app.efi",
        "admitted": ["app.efi"],
        "signer": None,
        "files": ["db-password/db-password", "tls/key.der", "tls/chain.pem"],
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_another_user_than_root_can_do_it(vendor):
    program = (
        "import os, sys; from strongroom.cli.main import run\n"
        "app = ['/bin/sh', '-c', 'cat $STRONGROOM_SECRETS/db*/*; id -u']\n"
        "words = ['twin', 'exec', '--tenant', 'globex', '--', *app]\n"
        "assert run(words) == 0\n"  # which also loads what another user may not be able to
        "os.environ['XDG_RUNTIME_DIR'] = sys.argv[1]\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "sys.exit(run(words))\n"
    )
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        Path(place).chmod(0o755)
        os.chown(memory, 65534, 65534)
        folder = write_project(Path(place)).folder
        done = subprocess.run(
            [sys.executable, "-c", program, memory], cwd=folder, capture_output=True, text=True, check=False
        )
        assert list(Path(memory).iterdir()) == []
    assert (done.returncode, done.stdout) == (0, f"{PASSWORD.decode()}0\n{PASSWORD.decode()}65534\n"), done.stderr


def where_the_canary_is(*folders: Path) -> set[str]:
    """Return where it is found: argv and environments of all processes, and files below the folders."""
    found = set()
    for kind in ("cmdline", "environ"):
        for file in Path("/proc").glob(f"[0-9]*/{kind}"):
            with contextlib.suppress(OSError):  # it ended, or is another's
                if CANARY in file.read_bytes():
                    found.add(kind)
    for folder in folders:
        found |= {str(path.name) for path in folder.rglob("*") if path.is_file() and CANARY in path.read_bytes()}
    return found


@pytest.mark.attack("K17")
def test_no_secret_is_in_an_argument_an_environment_a_file_or_a_word_of_ours(vendor, tmp_path):
    planted = {"environ": CANARY.decode()}
    words = [sys.executable, "-c", "import time; time.sleep(30)", CANARY]
    with subprocess.Popen(words, env=planted) as process:
        (tmp_path / "tmp/planted").write_bytes(b"x" + CANARY)
        wait_until(lambda: where_the_canary_is(tmp_path) >= {"cmdline", "environ", "planted"}, "it would be found")
        (tmp_path / "tmp/planted").unlink()
        process.kill()
    known = {"db-password", "key.der"}
    assert where_the_canary_is(tmp_path) == known, "the vendor's own files"
    with vendor.waiting() as (process, place, _):
        assert where_the_canary_is(tmp_path) == known
        assert where_the_canary_is(place) == known, "where they are to be"
        process.terminate()
        out, err = process.communicate(timeout=20)
    assert CANARY not in out + err
    refused = vendor.run("--change-a-byte", app=("/bin/true",))
    assert refused.returncode == 6
    assert CANARY not in refused.stdout + refused.stderr
    assert where_the_canary_is(tmp_path, vendor.memory) == known
