# SPDX-License-Identifier: Apache-2.0
import os
import socket
import threading

import pytest

from strongroom.agent import notify
from strongroom.agent.notify import notify_ready
from strongroom.errors import LocalFault


class Manager:
    """systemd's end: it takes messages, and answers a barrier by closing what came with it."""

    def __init__(self, address: str, *, answers: bool = True):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.answers = answers
        self.messages: list[bytes] = []
        self.kept: list[int] = []
        self.thread = threading.Thread(target=self.listen)
        self.thread.start()

    def listen(self):
        while len(self.messages) < 2:
            data, descriptors, _, _ = socket.recv_fds(self.socket, 4096, 4)
            self.messages.append(data)
            self.kept += descriptors
            if self.answers:
                self.close()

    def close(self):
        while self.kept:
            os.close(self.kept.pop())

    def end(self):
        self.thread.join()
        self.close()
        self.socket.close()


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told_and_waited_for(tmp_path, abstract):
    name = f"{tmp_path}/notify"
    manager = Manager(f"\0{name}" if abstract else name)
    notify_ready({"NOTIFY_SOCKET": f"@{name}" if abstract else name})
    manager.end()
    assert manager.messages == [b"READY=1", b"BARRIER=1"]


def test_without_systemd_nobody_is_told():
    notify_ready({})


def code_of(environment) -> str:
    with pytest.raises(LocalFault) as caught:
        notify_ready(environment)
    return caught.value.code


def test_a_manager_that_is_not_there_is_a_fault(tmp_path):
    assert code_of({"NOTIFY_SOCKET": f"{tmp_path}/absent"}) == "agent.notify"


def test_a_manager_that_never_answers_is_a_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(notify, "_SECONDS", 0.05)
    manager = Manager(f"{tmp_path}/notify", answers=False)
    assert code_of({"NOTIFY_SOCKET": f"{tmp_path}/notify"}) == "agent.notify"
    manager.end()
