# SPDX-License-Identifier: Apache-2.0
"""What a hostile image says of itself to the host report: unit files and configuration of any content."""

import json
import re

from tests.fuzz.target import Target
from tests.host_trees import AGENT, SYSTEM, make_tree, service

from strongroom.cli.image_host_report import host_report_members
from strongroom.formats.partition import Profile
from strongroom.imaging.audit.subject import Subject
from strongroom.imaging.host_report.report import host_report

_FILE = re.compile(rb"^== (/\S{1,200})$", re.MULTILINE)


def report(data: bytes) -> None:
    """Files after lines `== PATH`; the rest before the first is the kernel command line."""
    line, *rest = _FILE.split(data)
    files = {path.decode("ascii", "replace"): content for path, content in zip(rest[::2], rest[1::2], strict=True)}
    usable = {path: content for path, content in files.items() if not re.search(r"//|/\.\.?(?:/|$)|/$", path)}
    image = Subject(Profile.PRODUCTION, tree=make_tree(usable), command_line=line.decode("utf-8", "replace"))
    json.dumps(host_report_members(host_report(image)))


def packed(files: dict[str, str]) -> bytes:
    return "\n".join(f"== {path}\n{content}" for path, content in files.items()).encode()


def seeds() -> list[bytes]:
    app = service("a.service", "[Service]\nExecStart=/opt/a --port 8080 \\\n 0.0.0.0:1\nUser=a\nPrivateNetwork=yes\n")
    units = {path: content for path, content in {**SYSTEM, **app}.items() if not content.startswith("->")}
    started = {"/usr/lib/systemd/system/default.target": "[Unit]\nWants=a.service a.socket ssh.service basic.target\n"}
    socket = {"/usr/lib/systemd/system/a.socket": "[Socket]\nListenStream=80\nAccept=yes\n"}
    ssh = {"/usr/lib/systemd/system/ssh.service": "[Service]\nExecStart=/usr/sbin/sshd\n"}
    configured = {
        "/usr/lib/strongroom/agent.toml": AGENT,
        "/etc/passwd": "root:x:0:0::/root:/bin/sh\n",
        "/etc/shadow": "root:$y$a:1::\n",
        "/etc/fstab": "LABEL=a /srv ext4 rw 0 2\n",
        "/etc/ssh/sshd_config": "Port 22\nListenAddress ::\n",
        "/etc/apt/sources.list": "deb http://deb.example a b\n",
        "/etc/app.json": '{"url": "https://user@[::1]:9/x"}\n',
    }
    line = b"console=ttyS0 systemd.volatile=state systemd.wants=a.service systemd.gpt_auto=0\n"
    return [line + packed({**units, **started, **socket, **ssh, **configured}), b""]


def worst() -> list[bytes]:
    many = "".join(f"[Unit]\nWants=u{number}.service u{number + 1}.service\n" for number in range(1_500))
    words = "[Service]\nExecStart=" + "0.0.0.0:" * 7_000
    return [
        packed({"/usr/lib/systemd/system/default.target": many}),
        packed(
            {
                "/usr/lib/systemd/system/default.target": "[Unit]\nWants=a.service\n",
                "/etc/systemd/system/a.service": words,
            }
        ),
        packed({f"/etc/systemd/system/default.target.d/{number}.conf": "a=\\\n" for number in range(1_000)}),
        packed({"/etc/a": "https://" * 8_000}),
        packed({"/etc/rsyslog.conf": " @" * 30_000}),
    ]


TARGETS = (Target("hosts.report", report, seeds, max_bytes=8_192, worst=worst),)
