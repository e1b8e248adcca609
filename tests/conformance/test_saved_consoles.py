# SPDX-License-Identifier: Apache-2.0
"""What the AWS CLI itself prints of a console, in each of its output formats, is read (docs/formats/console.md)."""

import base64
import random
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from strongroom.formats.console import encode_receipt, parse_console
from strongroom.formats.console_text import is_console

pytestmark = pytest.mark.slow

AWS = Path(sys.executable).with_name("aws")
INSTANCE = "i-0123456789abcdef0"
DOCUMENT = random.Random(3).randbytes(5000)
CONSOLE = (
    b"[    0.000000] Linux version 6.1.0\r\n\x1b[0;32m  OK  \x1b[0m caf\xc3\xa9 \xff\t\0 <&>\r\n"
    + encode_receipt(DOCUMENT).replace(b"\n", b"\r\n[    9.123456] a kernel message\r\n")
)
ANSWER = (
    '<GetConsoleOutputResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId>'
    f"<instanceId>{INSTANCE}</instanceId><timestamp>2026-06-01T12:00:00.000Z</timestamp>"
    f"<output>{base64.b64encode(CONSOLE).decode()}</output></GetConsoleOutputResponse>"
).encode()


class Ec2(BaseHTTPRequestHandler):
    """Answers GetConsoleOutput as EC2 does: XML, with the output in base64 (EC2 API Reference)."""

    def do_POST(self):
        request = self.rfile.read(int(self.headers["Content-Length"]))
        known = b"Action=GetConsoleOutput" in request
        self.send_response(200 if known else 400)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *arguments):
        """Say nothing."""


@pytest.fixture(scope="module")
def endpoint():
    with HTTPServer(("127.0.0.1", 0), Ec2) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("options", "instance"),
    [
        (["--output", "json"], INSTANCE),
        (["--output", "text"], INSTANCE),
        (["--latest", "--query", "Output", "--output", "json"], None),
        (["--latest", "--query", "Output", "--output", "text"], None),
    ],
    ids=["json", "text", "query-json", "query-text"],
)
def test_a_console_is_read_as_the_cli_prints_it(endpoint, options, instance):
    assert AWS.exists(), "the AWS CLI is a development dependency (awscli): run make setup"
    environment = {
        "PATH": "/usr/bin:/bin",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    command = [sys.executable, str(AWS), "ec2", "get-console-output", "--instance-id", INSTANCE, *options]
    run = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr
    assert is_console(run.stdout)
    found = parse_console(run.stdout)
    assert found.instance_id == instance
    assert found.last_receipt().document == DOCUMENT
