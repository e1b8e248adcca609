# SPDX-License-Identifier: Apache-2.0
"""EC2 as moto serves it: a process of its own on 127.0.0.1, spoken to over HTTP like AWS.

moto keeps instances in memory, in one account, and asks nobody for permission unless `enforce_iam` is called.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3

ACCOUNT = "123456789012"
"""The account that moto's instances are in."""
_STARTED = re.compile(r"Running on (http://127\.0\.0\.1:[0-9]+)")


@dataclass(frozen=True)
class Moto:
    """A running server."""

    url: str

    def client(self, service: str, region: str) -> Any:
        session: Any = boto3.Session("any", "any", region_name=region)
        return session.client(service, endpoint_url=self.url)

    def launch(self, region: str, **settings: Any) -> dict[str, Any]:
        """Run an instance and return what EC2 says about it."""
        call = {"ImageId": "ami-0123456789abcdef0", "InstanceType": "m7i.large"} | settings
        instance: dict[str, Any] = self.client("ec2", region).run_instances(MinCount=1, MaxCount=1, **call)[
            "Instances"
        ][0]
        return instance

    def enforce_iam(self) -> None:
        """From now on know callers by their keys, and ask their policies."""
        self._post("/moto-api/reset-auth", b"0")

    def trust_everybody(self) -> None:
        """From now on ask nobody."""
        self._post("/moto-api/reset-auth", b"Infinity")

    def _post(self, path: str, body: bytes) -> None:
        request = urllib.request.Request(self.url + path, data=body, headers={"Content-Type": "text/plain"})
        with urllib.request.urlopen(request) as reply:
            assert reply.status == 200


@contextmanager
def moto_server() -> Iterator[Moto]:
    """Run a server until the end of the block."""
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            started = next((found for line in process.stderr if (found := _STARTED.search(line))), None)
            assert started, "moto did not start"
            threading.Thread(target=process.stderr.read, daemon=True).start()  # a full pipe would stop the server
            yield Moto(started[1])
        finally:
            process.terminate()
            process.wait()
