# SPDX-License-Identifier: Apache-2.0
"""Each planted fact is in the report, with its basis and its file; and what rules it out takes it away again."""

from __future__ import annotations

import pytest
from tests.disks import LINUX, Part, gpt_disk
from tests.host_trees import AGENT, LINK, SYSTEM, UNITS, WANTS, facts, make_tree, service, subject, texts
from tests.small_image import make_disk, vendors_files
from tests.unit.formats.test_trust import REGION, trust

from strongroom.errors import FormatError
from strongroom.formats.partition import Profile
from strongroom.formats.trust import Tls
from strongroom.imaging.audit.subject import Subject
from strongroom.imaging.host_report.fact import QUESTIONS, Basis, Topic
from strongroom.imaging.host_report.report import CANNOT_KNOW, host_report, host_report_of
from strongroom.imaging.tree.node import Node
from strongroom.imaging.tree.tree import memory_tree
from strongroom.measure.disk_layout import parse_disk

APP = "[Service]\nExecStart=/opt/app/bin/serve --port 8080\nUser=app\n"
AGENT_PATH = "/usr/lib/strongroom/agent.toml"
ROOT = "root:x:0:0:root:/root:/bin/bash\n"
PROGRAM = b"\x7fELF\0 http://169.254.169.254/latest"


def one(topic: Topic, words: str, image: Subject) -> tuple[Basis, str, int | None]:
    """The one statement with these words: how it stands, and where it was read."""
    found = [fact for fact in facts(topic, image) if words in fact.text]
    assert len(found) == 1, [fact.text for fact in facts(topic, image)]
    return found[0].basis, found[0].path, found[0].line


PLANTED = {
    "a service": (Topic.PROGRAMS, service("a.service", APP), "a.service runs /opt/app/bin/serve --port 8080 as app"),
    "a timer": (Topic.PROGRAMS, service("a.timer", "[Timer]\nOnCalendar=daily\n"), "a.timer starts its service OnCal"),
    "a user of its own": (
        Topic.PROGRAMS,
        service("a.service", "[Service]\nExecStart=/a\nDynamicUser=yes\n"),
        "as a user of its own",
    ),
    "a port in a command": (Topic.LISTENERS, service("a.service", APP), "a.service is started with --port 8080"),
    "an address in a command": (
        Topic.LISTENERS,
        service("a.service", "[Service]\nExecStart=/a 0.0.0.0:99\n"),
        "a.service is started with 0.0.0.0:99",
    ),
    "a socket": (
        Topic.LISTENERS,
        service("a.socket", "[Socket]\nListenStream=8443\n"),
        "a.socket listens on TCP port 8443 on every address",
    ),
    "a socket on an address": (
        Topic.LISTENERS,
        service("a.socket", "[Socket]\nListenDatagram=127.0.0.1:53\n"),
        "a.socket listens on UDP 127.0.0.1:53",
    ),
    "a local socket": (
        Topic.LISTENERS,
        service("a.socket", "[Socket]\nListenStream=/run/a\nListenStream=@b\n"),
        "2 sockets that only programs inside can reach",
    ),
    "a daemon by default": (
        Topic.LISTENERS,
        {**service("ssh.service", "[Service]\nExecStart=/usr/sbin/sshd -D\n"), "/usr/sbin/sshd": "x"},
        "its default is TCP 22",
    ),
    "a daemon as configured": (
        Topic.LISTENERS,
        {
            **service("ssh.service", "[Service]\nExecStart=/usr/sbin/sshd\n"),
            "/etc/ssh/sshd_config": "#Port 1\nPort 2222",
        },
        "sshd listens as configured: 2222",
    ),
    "an URL": (
        Topic.ENDPOINTS,
        {"/etc/app.conf": "# http://no\nurl=https://api.example.com/v1"},
        "https://api.example",
    ),
    "a time server": (
        Topic.ENDPOINTS,
        {"/etc/chrony.conf": "server time.example iburst"},
        "asks time.example for time",
    ),
    "a name server": (Topic.ENDPOINTS, {"/etc/resolv.conf": "nameserver 10.9.8.7\n"}, "asks 10.9.8.7 for names"),
    "a log server": (
        Topic.ENDPOINTS,
        {"/etc/rsyslog.conf": "*.* @@logs.example:514"},
        "sends logs to logs.example:514",
    ),
    "a source of packages": (
        Topic.ENDPOINTS,
        {"/etc/yum.repos.d/a.repo": "[a]\nbaseurl=https://repo.example/a\n"},
        "dnf fetches packages from https://repo.example/a; nothing that was read runs it",
    ),
    "the SSM agent": (Topic.PERMISSIONS, {"/usr/bin/amazon-ssm-agent": "x"}, "the SSM agent is there, and uses ssm:*"),
    "the AWS CLI": (Topic.PERMISSIONS, {"/usr/bin/aws": "x"}, "the AWS CLI is there"),
    "an SDK": (
        Topic.PERMISSIONS,
        {"/opt/app/venv/lib/python3.11/site-packages/boto3/__init__.py": ""},
        "boto3 is there",
    ),
    "cloud-init": (Topic.METADATA, {"/usr/bin/cloud-init": "x"}, "cloud-init runs what user data says"),
    "a program that knows the address": (Topic.METADATA, {"/opt/app/x": PROGRAM}, "holds the address of the metadata"),
    "a mount": (Topic.STORAGE, {"/etc/fstab": "LABEL=data /srv ext4 rw 0 2\n"}, "mounts LABEL=data /srv ext4 rw"),
    "a mount unit": (
        Topic.STORAGE,
        service("srv.mount", "[Mount]\nWhat=/dev/sdf\nWhere=/srv\nOptions=rw\n"),
        "srv.mount mounts /dev/sdf at /srv (rw)",
    ),
    "swap": (Topic.STORAGE, service("a.swap", "[Swap]\nWhat=/dev/sdg\n"), "a.swap swaps to /dev/sdg"),
    "an encrypted volume": (Topic.STORAGE, {"/etc/crypttab": "state /dev/sdh - tpm2\n"}, "opens the encrypted volume"),
    "a new partition": (Topic.STORAGE, {"/usr/lib/repart.d/1.conf": "[Partition]"}, "would make or grow a partition"),
    "a grown file system": (
        Topic.STORAGE,
        service("g.service", "[Service]\nExecStart=/usr/lib/systemd/systemd-growfs /\n"),
        "g.service runs systemd-growfs",
    ),
    "a journal on the console": (
        Topic.OUTPUT,
        {"/etc/systemd/journald.conf": "[Journal]\n#Storage=x\nForwardToConsole=yes\n"},
        "journal: ForwardToConsole=yes",
    ),
    "a service on the console": (
        Topic.OUTPUT,
        service("a.service", f"{APP}StandardOutput=journal+console\n"),
        "a.service writes to journal+console",
    ),
    "a forwarder of logs": (Topic.OUTPUT, {"/usr/bin/vector": "x"}, "vector forwards logs"),
    "a password": (Topic.USERS, {"/etc/passwd": ROOT, "/etc/shadow": "root:$y$x:1::\n"}, "root (uid 0): a password"),
    "no password at all": (Topic.USERS, {"/etc/passwd": "a::5:5::/:/bin/sh\n"}, "a (uid 5): an empty password works"),
    "another root": (Topic.USERS, {"/etc/passwd": "toor:*:0:0::/:/bin/sh\n"}, "toor (uid 0): no password works"),
    "a shell": (Topic.USERS, {"/etc/passwd": ROOT, "/etc/shadow": "root:!:1::\n"}, "has the shell /bin/bash"),
    "keys": (Topic.USERS, {"/root/.ssh/authorized_keys": "k"}, "keys that sshd would let in"),
    "sudo": (Topic.USERS, {"/etc/sudoers.d/a": "a ALL=ALL"}, "says who may become another user"),
    "a button that does nothing": (
        Topic.STOPPING,
        {"/etc/systemd/logind.conf": "[Login]\nHandlePowerKey=ignore\n"},
        "power button: HandlePowerKey=ignore",
    ),
    "a service that is waited for": (
        Topic.STOPPING,
        service("a.service", f"{APP}TimeoutStopSec=infinity\n"),
        "a.service is waited for without an end",
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_fact_is_reported_once_and_only_where_it_is_planted(name):
    topic, planted, words = PLANTED[name]
    one(topic, words, subject(planted))
    assert not [text for text in texts(topic, subject({})) if words in text]


def test_a_statement_says_where_it_was_read():
    image = subject({"/etc/app.conf": "x\nurl=https://api.example.com"})
    assert one(Topic.ENDPOINTS, "api.example.com", image) == (Basis.POSSIBLE, "/etc/app.conf", 2)
    assert one(Topic.PROGRAMS, "runs", subject(service("a.service", APP))) == (Basis.STATED, f"{UNITS}/a.service", 2)


@pytest.mark.parametrize(
    ("setting", "kept_off"),
    [
        ("PrivateNetwork=yes", True),
        ("RestrictAddressFamilies=none", True),
        ("RestrictAddressFamilies=AF_UNIX", True),
        ("RestrictAddressFamilies=AF_UNIX AF_INET", False),
        ("RestrictAddressFamilies=~AF_PACKET", False),
        ("PrivateNetwork=no", False),
    ],
)
def test_a_service_may_listen_unless_a_setting_keeps_it_from_the_network(setting, kept_off):
    image = subject(service("a.service", f"{APP}{setting}\n"))
    ruled_out = texts(Topic.LISTENERS, image, Basis.RULED_OUT)
    free = texts(Topic.LISTENERS, image, Basis.POSSIBLE)
    assert bool(ruled_out) is kept_off
    assert any("no setting of their units" in text and "a.service" in text for text in free) is not kept_off


def test_a_daemon_that_nothing_starts_is_possible_only():
    basis, path, _ = one(Topic.LISTENERS, "sshd is there, and no unit", subject({"/usr/sbin/sshd": "x"}))
    assert (basis, path) == (Basis.POSSIBLE, "/usr/sbin/sshd")


def test_services_of_systemd_are_one_line_and_one_beside_them_is_not():
    own = service("systemd-x.service", "[Service]\nExecStart=/usr/lib/systemd/systemd-x\n")
    mixed = service("y.service", "[Service]\nExecStartPre=udevadm settle\nExecStart=/opt/y\n")
    said = texts(Topic.PROGRAMS, subject({**own, **mixed}))
    assert "1 services whose programs have systemd's own names and places: systemd-x" in said
    assert "y.service runs /opt/y as root" in said


def test_what_starts_after_a_failure_is_possible_only():
    planted = service("a.service", f"[Unit]\nOnFailure=b.service\n{APP}")
    planted[f"{UNITS}/b.service"] = "[Service]\nExecStart=/usr/bin/tell\n"
    assert one(Topic.PROGRAMS, "after a failure, b.service", subject(planted))[0] is Basis.POSSIBLE


def test_packages_that_a_timer_fetches_are_stated():
    planted = {
        "/etc/apt/sources.list": "deb http://deb.example bookworm main\n",
        **service("apt-daily.timer", "[Timer]\nOnCalendar=daily\n"),
        f"{UNITS}/apt-daily.service": "[Service]\nExecStart=/usr/lib/apt/apt.systemd.daily update\n",
    }
    assert one(Topic.ENDPOINTS, "apt.systemd.daily starts at boot or by a timer", subject(planted))[0] is Basis.STATED


def test_networks_count_when_something_configures_them():
    network = {"/etc/systemd/network/10.network": "[Network]\nDHCP=yes\nIPv6=no\n"}
    started = service("systemd-networkd.service", "[Service]\nExecStart=/usr/lib/systemd/systemd-networkd\n")
    assert not texts(Topic.ENDPOINTS, subject(network))
    assert texts(Topic.ENDPOINTS, subject({**network, **started})) == ["10.network: DHCP=yes"]


def test_each_host_is_named_once_and_words_that_nothing_connects_to_are_not():
    planted = {
        "/etc/a": "https://one.example/x https://ONE.example/y\n",
        "/etc/b": "https://one.example/z\nhttp://[bad\n",
        "/etc/os-release": 'HOME_URL="https://www.debian.org/"\n',
        f"{UNITS}/d.service": "[Unit]\nDocumentation=https://docs.example\n",
        "/etc/binary": b"\0https://binary.example",
        "/etc/large": b"https://large.example " + bytes(1 << 20),
    }
    assert texts(Topic.ENDPOINTS, subject(planted)) == ["a file names https://one.example/x"]


def test_the_agent_needs_decrypt_and_perhaps_s3_and_says_whose_keys():
    said = texts(Topic.PERMISSIONS, subject({AGENT_PATH: AGENT}))
    assert any("kms:Decrypt on keys of the accounts 111122223333 and no others" in text for text in said)
    assert any("s3:GetObject" in text for text in said)
    inside = AGENT.replace("user-data", "image")
    assert not any("s3:" in text for text in texts(Topic.PERMISSIONS, subject({AGENT_PATH: inside})))


@pytest.mark.parametrize("settings", [{}, {AGENT_PATH: "nonsense"}])
def test_without_settings_that_the_agent_takes_nothing_is_claimed_of_it(settings):
    image = Subject(Profile.PRODUCTION, tree=make_tree({**SYSTEM, **settings}))
    assert [text[:18] for text in texts(Topic.PERMISSIONS, image)] == ["none for an agent:"]
    assert not texts(Topic.METADATA, image)


def test_the_agent_reads_user_data_only_where_its_settings_say_so():
    assert one(Topic.METADATA, "user data", subject({AGENT_PATH: AGENT}))[0] is Basis.STATED
    inside = subject({AGENT_PATH: AGENT.replace("user-data", "image")})
    assert one(Topic.METADATA, "user data", inside)[0] is Basis.RULED_OUT


def test_the_agents_endpoints_are_those_of_its_trust_file():
    said = texts(Topic.ENDPOINTS, subject({AGENT_PATH: AGENT}))
    assert any("https://kms.REGION.amazonaws.com" in text for text in said)
    rehearsal = trust(profile=Profile.REHEARSAL, tls=Tls(roots=(), kms={REGION: "https://10.0.2.2:4443"}))
    said = texts(Topic.ENDPOINTS, subject({AGENT_PATH: AGENT}, trusts=rehearsal))
    assert any(f"KMS of {REGION} at https://10.0.2.2:4443" in text for text in said)
    assert not any("amazonaws" in text for text in said)


def test_many_files_with_the_address_are_counted():
    image = subject({f"/opt/{number}": PROGRAM for number in range(50)})
    assert one(Topic.METADATA, "and 10 files more hold it", image)


@pytest.mark.parametrize(
    ("line", "words", "basis"),
    [
        ("ro roothash=ab", "every block of it is checked", Basis.STATED),
        ("systemd.volatile=state", "/var is in memory", Basis.STATED),
        ("systemd.volatile", "everything but /usr is in memory", Basis.STATED),
        ("systemd.gpt_auto=0", "no partition is mounted for its type alone", Basis.RULED_OUT),
        ("quiet", "partitions are mounted for their types alone", Basis.POSSIBLE),
    ],
)
def test_the_command_line_says_how_disks_are_used(line, words, basis):
    assert one(Topic.STORAGE, words, subject({}, command_line=line))[0] is basis


def test_a_root_that_is_not_checked_is_not_said_to_be():
    assert not any("checked" in text for text in texts(Topic.STORAGE, subject({}, command_line="rw roothash=ab")))


def test_file_systems_in_memory_and_broken_lines_of_the_table_are_left_out():
    table = "# c\ntmpfs /tmp tmpfs rw 0 0\nbroken line\n\nproc /proc proc rw\n"
    mount = service("tmp.mount", "[Mount]\nWhat=tmpfs\nWhere=/tmp\nType=tmpfs\n")
    said = texts(Topic.STORAGE, subject({"/etc/fstab": table, **mount}))
    assert not any("tmp" in text for text in said)
    assert not any(text.startswith("mounts") for text in said)


def test_the_partitions_of_a_disk_are_listed():
    layout = parse_disk(memoryview(gpt_disk(Part(64, 2111, "root", LINUX))))
    image = Subject(Profile.PRODUCTION, tree=make_tree(SYSTEM), disk=layout)
    assert any(text.startswith('partition 1 ("root")') and "1 MiB" in text for text in texts(Topic.STORAGE, image))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("console=ttyS0 quiet", "the kernel writes to ttyS0: quiet"),
        ("console=ttyS0 console=tty0 loglevel=3", "the kernel writes to ttyS0, tty0: loglevel=3"),
        ("ro", "the kernel chooses its console"),
    ],
)
def test_the_kernel_writes_where_its_command_line_says(line, words):
    assert one(Topic.OUTPUT, words, subject({}, command_line=line))


def test_the_journal_is_on_disk_only_where_it_stays():
    planted = {"/usr/lib/systemd/systemd-journald": "x", "/var/log/journal/x": ""}
    assert one(Topic.OUTPUT, "kept on disk", subject(planted))
    assert one(Topic.OUTPUT, "kept in memory", subject(planted, command_line="systemd.volatile=state"))


def test_programs_with_rights_of_their_own_are_listed():
    image = subject({"/usr/bin/su": "x", "/usr/bin/w": "y"}, modes={"/usr/bin/su": 0o4755, "/usr/bin/w": 0o2755})
    assert one(Topic.USERS, "runs as user 0", image) == (Basis.STATED, "/usr/bin/su", None)
    assert one(Topic.USERS, "runs as group 0", image)[1] == "/usr/bin/w"
    capable = memory_tree([(Node(path="/bin/ping", mode=0o100755, capabilities=b"x"), b"")])
    assert one(Topic.USERS, "has capabilities", Subject(Profile.PRODUCTION, tree=capable))[1] == "/bin/ping"


def test_an_account_that_nobody_enters_is_not_listed():
    planted = {"/etc/passwd": "d:x:1:1::/:/usr/sbin/nologin\nnot an entry\n", "/etc/shadow": "d:*:1::\nnothing\n"}
    assert not texts(Topic.USERS, subject(planted))


def test_the_power_button_works_where_logind_runs():
    assert one(Topic.STOPPING, "nothing was found that acts", subject({}))[0] is Basis.POSSIBLE
    logind = service("systemd-logind.service", "[Service]\nExecStart=/usr/lib/systemd/systemd-logind\n")
    assert one(Topic.STOPPING, "the power button shuts it down", subject(logind))[0] is Basis.STATED


def test_what_is_stated_comes_first_and_what_is_ruled_out_last():
    planted = {
        **service("a.service", f"{APP}PrivateNetwork=yes\n"),
        **service("b.service", "[Service]\nExecStart=/b\n"),
    }
    order = [fact.basis for fact in facts(Topic.LISTENERS, subject(planted))]
    assert order == [Basis.STATED, Basis.POSSIBLE, Basis.RULED_OUT]


def test_parts_that_were_not_there_are_told():
    report = host_report(subject({}, command_line=None))
    assert {"the kernel command line", "the disk", "the initrd"} == set(report.unread)


def test_a_section_that_cannot_be_read_is_told_and_the_others_stand():
    image = subject({f"{UNITS}/a.socket": b"x" * (17 << 20), f"{WANTS}/a.socket": f"{LINK}{UNITS}/a.socket"})
    report = host_report(image)
    assert any(words.startswith("everything about listeners: expected at most") for words in report.unread)
    assert report.about(Topic.STORAGE)


def test_an_image_without_files_is_refused():
    with pytest.raises(FormatError) as caught:
        host_report(Subject(Profile.PRODUCTION, command_line="ro"))
    assert caught.value.code == "host-report.no-tree"


def test_every_topic_is_a_question_and_something_is_always_said_not_to_be_known():
    assert set(QUESTIONS) == set(Topic)
    assert len(CANNOT_KNOW) > 3


@pytest.mark.slow
def test_a_whole_disk_is_read_and_nothing_is_left_unread(tmp_path):
    disk = tmp_path / "disk.raw"
    disk.write_bytes(make_disk(tmp_path, vendors_files()))
    report = host_report_of(disk, profile=Profile.PRODUCTION, cache=None, progress=print)
    assert report.unread == ()
    said = {topic: [fact.text for fact in report.about(topic)] for topic in Topic}
    assert "app.service runs /usr/lib/app/serve --port 8443 as app" in said[Topic.PROGRAMS]
    assert any("every block of it is checked" in text for text in said[Topic.STORAGE])
    assert any(text.startswith("kms:Decrypt on keys of the accounts 111122223333") for text in said[Topic.PERMISSIONS])
