# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from strongroom.agent.fetch import fetch
from strongroom.agent.status import MAX_BYTES, failed, read_status, ready, write_status
from strongroom.errors import FormatError, KeyRefused, LocalFault


def test_what_was_opened_is_told_without_its_content(world, tmp_path):
    world.seal()
    fetched = fetch(("db-password",), trust=world.trust(), ports=world.ports())
    write_status(tmp_path / "status", ready(fetched, memory_locked=True))
    state = read_status(tmp_path / "status")
    assert state["bundles"] == {"db-password": {"version": 2, "epoch": 1}}
    assert (state["state"], state["instance"], state["memory_locked"]) == ("ready", world.instance.instance_id, True)
    assert b"canary" not in (tmp_path / "status").read_bytes()


@pytest.mark.attack("B13")
def test_a_failure_is_told_by_its_code_and_remedy():
    error = KeyRefused("kms.access-denied", "canary-5c1e", remedy="Ask.")
    assert failed(error) == {"state": "failed", "code": "kms.access-denied", "remedy": "Ask."}


def code_of(kind, path) -> str:
    with pytest.raises(kind) as caught:
        read_status(path)
    code: str = caught.value.code
    return code


def test_no_run_is_no_state(tmp_path):
    assert code_of(LocalFault, tmp_path / "status") == "agent.not-run"


@pytest.mark.parametrize("data", [b"{", b"[]", b"{}", b'{"state": 1}', json.dumps({}).encode()])
def test_a_file_that_is_no_state_is_refused(tmp_path, data):
    (tmp_path / "status").write_bytes(data)
    assert code_of(FormatError, tmp_path / "status") == "agent.status"


def test_a_file_that_is_too_large_is_refused(tmp_path):
    (tmp_path / "status").write_bytes(b" " * (MAX_BYTES + 1))
    assert code_of(FormatError, tmp_path / "status") == "file.too-large"
