# SPDX-License-Identifier: Apache-2.0
"""`twin up`, `status`, `down`, `env` and `log` as people run them: real processes, the real AWS CLI, a real SIGKILL."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from tests.processes import ended, wait_until
from tests.twin_up import ANY_PORTS, AWS, Place

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]


@pytest.fixture
def place(tmp_path):
    (tmp_path / "home").mkdir()
    found = Place(tmp_path)
    yield found
    found.end_all()


@pytest.fixture(autouse=True)
def _the_cli_is_there():
    assert AWS.exists(), "the AWS CLI is a development dependency (awscli): run make setup"


def test_a_newcomer_goes_from_init_to_calls(place):
    """With nothing in the shell but what `twin env` printed; ~/.aws is neither there before nor after."""
    assert place.run("init", "--product", "acme").returncode == 0
    up = place.up()
    assert up["folder"] == str(place.home)
    assert up["accounts"] == {"vendor": "111111111111", "customer": "222222222222"}
    assert place.run("signer", "new", "main").returncode == 0
    trust = place.run("signer", "trust", "--target", "twin")
    assert trust.returncode == 0, trust.stderr
    script = """
        aws sts get-caller-identity --query Account --output text
        key=$(aws kms create-key --query KeyMetadata.Arn --output text)
        aws kms encrypt --key-id $key --plaintext hello --query CiphertextBlob --output text > blob
        base64 -d blob > blob.bin
        aws kms decrypt --ciphertext-blob fileb://blob.bin --query Plaintext --output text
        aws s3 mb s3://a-bucket
        echo content > file; aws s3 cp file s3://a-bucket/file; aws s3 cp s3://a-bucket/file -
        aws ec2 create-volume --availability-zone eu-central-1a --size 1 --query State --output text
        aws ssm put-parameter --name p --type String --value v --query Version --output text
        aws iam create-role --role-name r --query Role.Arn --output text --assume-role-policy-document \
          '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
    """
    done = place.shell(script)
    assert done.returncode == 0, done.stderr
    words = done.stdout.split()
    assert words[0] == "111111111111"
    assert {"aGVsbG8=", "content", "1", "arn:aws:iam::111111111111:role/r"} <= set(words)
    assert not (place.folder / "home" / ".aws").exists()
    assert (
        place.shell("aws sts get-caller-identity --query Account --output text", "customer").stdout.strip() == "2" * 12
    )


@pytest.mark.parametrize(
    ("page", "heading"),
    [("README.md", "## Rehearse without AWS"), ("docs/twin.md", "## Run it")],
    ids=["README", "twin"],
)
def test_the_commands_of_the_pages_run_as_they_stand_there(place, page, heading):
    """In one shell, line by line; only the ports are any, because the pages' own may be taken."""
    section = (ROOT / page).read_text().partition(heading)[2]
    block = section.partition("```text\n")[2].partition("```")[0]
    assert 'eval "$(strongroom twin env vendor)"' in block
    script = f"""
set -e
aws() {{ {sys.executable} {AWS} "$@"; }}
strongroom() {{
    case "$1 $2" in "twin up") set -- "$@" {" ".join(ANY_PORTS)};; esac
    {sys.executable} -m strongroom "$@"
}}
{block}"""
    done = subprocess.run(
        ["sh", "-c", script], cwd=place.folder, env=place.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "allowed kms:CreateKey  arn:aws:iam::111111111111:user/admin" in done.stdout
    assert place.run("twin", "status").returncode == 1


def test_what_env_prints_wins_over_what_the_shell_had(place):
    place.up()
    script = """
        export HTTP_PROXY=http://127.0.0.1:9 http_proxy=http://127.0.0.1:9 NO_PROXY=example.com
        export AWS_ACCESS_KEY_ID=AKIAREAL AWS_SECRET_ACCESS_KEY=real AWS_SESSION_TOKEN=t AWS_ENDPOINT_URL_STS=http://127.0.0.1:9
        eval "$(STRONGROOM twin env customer)"
        aws sts get-caller-identity --query Arn --output text
        echo $no_proxy
    """.replace("STRONGROOM", f"{sys.executable} -m strongroom")
    arn, no_proxy = place.shell(script).stdout.split()
    assert arn == "arn:aws:iam::222222222222:user/admin"
    assert no_proxy == "127.0.0.1,localhost,example.com"


def test_a_path_with_blanks_and_quotes_is_one_word_for_the_shell(tmp_path):
    odd = tmp_path / "it's $(touch hacked) here"
    (odd / "home").mkdir(parents=True)
    place = Place(odd)
    try:
        place.up()
        done = place.shell("aws sts get-caller-identity --query Account --output text")
        assert done.stdout.strip() == "111111111111", done.stderr
        assert not (odd / "hacked").exists()
    finally:
        place.end_all()


def test_boto3_needs_no_more_than_that_environment(place):
    place.up()
    code = "import boto3; print(boto3.client('kms').list_keys()['Keys'], boto3.client('sts').meta.endpoint_url)"
    done = place.shell(f'{sys.executable} -c "{code}"')
    assert done.stdout.startswith("[] http://127.0.0.1:"), done.stderr


@pytest.mark.parametrize("how", ["down", "kill -9"])
def test_keys_roots_and_accounts_outlive_the_process(place, how):
    first = place.up("--account", "supplier=333333333333")
    made = place.shell("aws kms create-key --query KeyMetadata.Arn --output text").stdout.strip()
    assert made.startswith("arn:aws:kms:")
    kept = [
        place.home / name for name in ("nitro-root.pem", "tls-root.pem", "identity-eu-central-1.pem", "accounts.toml")
    ]
    before = [path.read_bytes() for path in kept]
    if how == "down":
        assert place.json("twin", "down")["pid"] == first["pid"]
    else:
        place.kill(first["pid"])
    assert place.json("twin", "status", code=1) == {"ok": True, "running": False, "folder": str(place.home)}
    second = place.up()
    assert [path.read_bytes() for path in kept] == before
    assert second["accounts"] == first["accounts"]
    assert place.shell("aws kms list-keys --query 'Keys[0].KeyArn' --output text").stdout.strip() == made
    assert place.json("twin", "status")["keys"] == 1


def test_nothing_that_was_answered_is_lost_by_a_kill(place):
    """Keys are made as fast as they come; the process is killed in between; every ARN that was printed is there."""
    up = place.up()
    code = (
        "import boto3, sys\nkms = boto3.client('kms')\nwhile True:\n"
        "    print(kms.create_key()['KeyMetadata']['Arn'], flush=True)"
    )
    variables = place.json("twin", "env", "vendor")["variables"]
    command = [sys.executable, "-c", code]
    environment = place.environment | variables | {"AWS_MAX_ATTEMPTS": "1"}
    with ended(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)) as maker:
        answered = [maker.stdout.readline().decode().strip() for _ in range(20)]
        place.kill(up["pid"])
        answered += maker.stdout.read().decode().split()
        maker.stdout.close()
    place.up()
    listed = place.shell("aws kms list-keys --query 'Keys[].KeyArn' --output text").stdout.split()
    assert set(answered) <= set(listed)


def test_two_twins_do_not_share_a_folder(place):
    place.up()
    again = place.run("twin", "up", "--detach", *ANY_PORTS)
    assert again.returncode == 9
    assert "found one that runs" in again.stderr
    assert "twin down" in again.stderr
    here = place.run("twin", "up", *ANY_PORTS)
    assert (here.returncode, "[twin.running]" in here.stderr) == (9, True)


def test_a_port_that_is_taken_is_named(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        for options in (("--port", port, "--tls-port", "0"), ("--port", "0", "--tls-port", port)):
            done = place.run("twin", "up", *options)
            assert (done.returncode, f"expected port {port} of 127.0.0.1 to be free" in done.stderr) == (9, True)
        detached = place.run("twin", "up", "--detach", "--port", port)
        assert f"expected port {port} of 127.0.0.1 to be free" in detached.stderr
    assert place.run("twin", "status").returncode == 1


def listening(pid):
    """The addresses on which a process listens, from the kernel's own tables (proc(5))."""
    inodes = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                found.add(fields[1].partition(":")[0])
    return found


def test_it_listens_on_loopback_and_nowhere_else(place):
    assert listening(place.up()["pid"]) == {"0100007F"}


def test_it_listens_elsewhere_when_told_so_in_words(place):
    words = ("twin", "up", "--detach", *ANY_PORTS, "--exposed-to-everyone-who-reaches", "0.0.0.0", "--json")
    started = place.run(*words)
    up = json.loads(started.stdout)
    place.started.append(up["pid"])
    assert "WARNING: other machines reach this twin at 0.0.0.0" in started.stderr
    assert listening(up["pid"]) == {"00000000"}
    assert "WARNING: other machines reach this twin at 0.0.0.0" in (place.home / "twin.log").read_text()
    assert place.run("twin", "up", "--listen", "0.0.0.0").returncode == 2
    wrong = place.run("twin", "up", "--exposed-to-everyone-who-reaches", "example.com")
    assert (wrong.returncode, "[twin.address]" in wrong.stderr) == (2, True)


def test_everything_in_the_folder_is_its_owners_alone(place):
    place.up()
    place.shell("aws kms create-key")
    assert stat.S_IMODE(place.home.stat().st_mode) == 0o700
    public = {"nitro-root.pem", "tls-root.pem", "identity-eu-central-1.pem"}
    for path in place.home.rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        assert mode == (
            0o700 if path.is_dir() else 0o644 if path.name in public and path.parent == place.home else 0o600
        )


def test_the_folder_stays_out_of_a_repository(place):
    subprocess.run(["git", "init", "-q"], cwd=place.folder, check=True)
    place.up()
    seen = subprocess.run(
        ["git", "status", "--porcelain", "--untracked-files=all"],
        cwd=place.folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ".strongroom" not in seen.stdout


def test_a_folder_open_to_others_is_refused(place):
    place.home.mkdir(parents=True)
    place.home.chmod(0o755)
    done = place.run("twin", "up", "--detach", *ANY_PORTS)
    assert (done.returncode, "[twin.folder-open]" in done.stderr) == (9, True)


def test_status_counts_calls_and_refusals(place):
    place.up()
    place.shell("aws kms create-key; aws kms describe-key --key-id alias/none || true")
    status = place.json("twin", "status")
    assert (status["requests"], status["refused"], status["keys"]) == (2, 1, 1)
    text = place.run("twin", "status").stdout
    assert "calls      2, refused 1" in text


def test_the_log_says_who_decided_and_what_was_missing(place):
    place.up()
    key = place.shell("aws kms create-key --query KeyMetadata.Arn --output text").stdout.strip()
    place.shell(f"aws kms describe-key --key-id {key} || true", "customer")
    lines = [json.loads(line) for line in place.run("twin", "log", "--json").stdout.splitlines()]
    assert [line["action"] for line in lines] == ["CreateKey", "DescribeKey"]
    denied = place.run("twin", "log", "--denied").stdout
    assert "CreateKey" not in denied
    assert "denied  kms:DescribeKey  arn:aws:iam::222222222222:user/admin" in denied
    assert "no statement of the key policy allows kms:DescribeKey" in denied
    assert "expected arn:aws:iam::111111111111:root, seen arn:aws:iam::222222222222:user/admin" in denied


def test_the_log_is_read_when_nobody_runs_and_follows_who_does(place):
    assert place.run("twin", "log").returncode == 9
    command = [sys.executable, "-m", "strongroom", "twin", "log", "--follow", "--json"]
    process = subprocess.Popen(command, cwd=place.folder, env=place.environment, stdout=subprocess.PIPE)
    with ended(process) as follower:
        place.up()
        place.shell("aws kms create-key")
        assert json.loads(follower.stdout.readline())["action"] == "CreateKey"
        follower.stdout.close()
    place.json("twin", "down")
    assert "kms:CreateKey" in place.run("twin", "log").stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_in_the_foreground_it_prints_calls_and_ends_well(place, number):
    command = [sys.executable, "-m", "strongroom", "twin", "up", *ANY_PORTS]
    process = subprocess.Popen(
        command, cwd=place.folder, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with ended(process) as running:
        assert running.stdout.readline().startswith("The twin answers at http://127.0.0.1:")
        wait_until((place.home / "running.json").exists, "running.json did not come")
        place.shell("aws sts get-caller-identity")
        text = ""
        while "sts:GetCallerIdentity" not in text:
            text += running.stdout.readline()
        assert "in memory: gone when the twin ends" in text
        running.send_signal(number)
        _, complaints = running.communicate(timeout=20)
        assert (running.returncode, complaints) == (0, "")
    assert not (place.home / "running.json").exists()


def test_down_ends_nobody_elses_process(place):
    """A process id is given out again: what stands in an old file is no reason to end whoever has it now."""
    up = place.up()
    place.kill(up["pid"])
    with ended(subprocess.Popen(["sleep", "60"])) as bystander:
        running = json.loads((place.home / "running.json").read_text())
        (place.home / "running.json").write_text(json.dumps(running | {"pid": bystander.pid}))
        done = place.run("twin", "down")
        assert (done.returncode, "[twin.not-running]" in done.stderr) == (9, True)
        assert bystander.poll() is None
        command = ["flock", str(place.home / ".twin.lock"), "sleep", "60"]
        with ended(
            subprocess.Popen(command, start_new_session=True)
        ) as holder:  # somebody has the folder, and is not it
            wait_until(lambda: place.run("twin", "up", *ANY_PORTS).returncode == 9, "flock did not get the lock")
            assert place.run("twin", "down").returncode == 9
            assert bystander.poll() is None
            os.killpg(holder.pid, signal.SIGKILL)


def test_env_and_down_without_a_twin_say_how_to_start_one(place):
    for words in (("twin", "env", "vendor"), ("twin", "down")):
        done = place.run(*words)
        assert (done.returncode, done.stdout) == (9, "")
        assert "twin up --detach" in done.stderr
    assert not place.home.exists()


def test_env_of_an_account_that_is_not_there_names_those_that_are(place):
    place.up("--account", "supplier=333333333333")
    done = place.run("twin", "env", "nobody")
    assert (done.returncode, "customer, supplier, vendor" in done.stderr) == (2, True)
    variables = place.json("twin", "env", "supplier")["variables"]
    assert variables["AWS_PROFILE"] == "supplier"


def test_the_regions_are_the_projects(place):
    assert place.run("init", "--product", "acme", "--region", "us-east-1").returncode == 0
    (place.folder / "below").mkdir()
    command = [sys.executable, "-m", "strongroom", "twin", "up", "--detach", "--json", *ANY_PORTS]
    done = subprocess.run(
        command, cwd=place.folder / "below", env=place.environment, capture_output=True, text=True, check=True
    )
    up = json.loads(done.stdout)
    place.started.append(up["pid"])
    assert (up["region"], up["folder"]) == ("us-east-1", str(place.home))
    assert (place.home / "identity-us-east-1.pem").exists()
