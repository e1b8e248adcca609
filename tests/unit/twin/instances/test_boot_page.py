# SPDX-License-Identifier: Apache-2.0
"""The page and its client, over HTTP, with a machine that is none."""

import threading
from pathlib import Path

import pytest
from tests.processes import wait_until
from werkzeug.wrappers import Request, Response

from strongroom.errors import FormatError, LocalFault, StrongroomError, UsageError
from strongroom.formats.pcrs import PcrDigests
from strongroom.ids import AccountId
from strongroom.twin.instances.boot_client import RemoteBoot
from strongroom.twin.instances.boot_order import BootOrder
from strongroom.twin.instances.boot_page import MAX_PIECE_BYTES, PATH, BootPage
from strongroom.twin.listener import Listener
from strongroom.twin.qemu.console import Console
from strongroom.twin.qemu.machine import Cause, Ending

ORDER = BootOrder(Path("/disk"), AccountId("222222222222"), "app")
TOKEN = "token"


class FakeMachine:
    is_emulated = True
    forwarded = (8443,)

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.ending: Ending | None = None

    def wait(self, seconds: float) -> Ending | None:
        return self.ending if self.ended.wait(min(seconds, 0.01)) else None

    def stop(self, cause: Cause = Cause.STOPPED) -> Ending:
        self.ending = self.ending or Ending(cause, 1.5)
        self.ended.set()
        return self.ending


class FakeInstance:
    instance_id = "i-0123456789abcdef0"
    pcrs = PcrDigests.of({index: bytes([index]) * 48 for index in range(24)})

    def __init__(self) -> None:
        self.console = Console()
        self.machine = FakeMachine()

    @property
    def ending(self) -> Ending | None:
        return self.machine.ending


class Bench:
    """A page that boots `instance`, or raises `refusal`."""

    def __init__(self, lease_seconds: float) -> None:
        self.instance = FakeInstance()
        self.refusal: StrongroomError | None = None
        self.ordered: list[BootOrder] = []
        self.page = BootPage(TOKEN, self._boot, lease_seconds=lease_seconds)

    def _boot(self, order: BootOrder) -> FakeInstance:
        if self.refusal is not None:
            raise self.refusal
        self.ordered.append(order)
        return self.instance


@pytest.fixture
def bench(request):
    made = Bench(getattr(request, "param", 60.0))
    listener = Listener(made.page.before(lambda _: Response("elsewhere", status=418)), threads=2)
    listener.start()
    made.url = listener.url
    yield made
    made.instance.machine.stop()
    listener.stop()


def test_what_a_machine_writes_is_heard_once_until_it_is_off(bench):
    boot = RemoteBoot(bench.url, TOKEN, ORDER)
    assert bench.ordered == [ORDER]
    assert (boot.instance_id, boot.is_emulated, boot.forwarded) == ("i-0123456789abcdef0", True, (8443,))
    bench.instance.console.write(b"one\n")
    assert boot.look().console == b"one\n"
    bench.instance.console.write(b"two\n")
    bench.instance.machine.stop(Cause.POWERED_OFF)
    look = boot.look()
    assert (look.console, look.ending) == (b"two\n", Ending(Cause.POWERED_OFF, 1.5))
    assert look.pcrs == bench.instance.pcrs


def test_nothing_is_lost_where_more_was_written_than_goes_into_one_answer(bench):
    boot = RemoteBoot(bench.url, TOKEN, ORDER)
    written = bytes(range(256)) * (MAX_PIECE_BYTES // 256) + b"rest"
    bench.instance.console.write(written)
    boot.switch_off()
    look = boot.look()
    assert look.ending is None, "there is more to hear"
    assert look.console + boot.look().console == written
    assert boot.look().ending == Ending(Cause.STOPPED, 1.5)


@pytest.mark.parametrize("family", [UsageError, FormatError, LocalFault])
def test_a_refusal_is_raised_as_if_it_had_been_here(bench, family):
    bench.refusal = family("some.code", "expected this, found that", remedy="Do that.")
    with pytest.raises(family) as caught:
        RemoteBoot(bench.url, TOKEN, ORDER)
    assert (caught.value.code, caught.value.remedy) == ("some.code", "Do that.")


def test_without_the_token_nothing_boots(bench):
    with pytest.raises(LocalFault) as caught:
        RemoteBoot(bench.url, "guessed", ORDER)
    assert caught.value.code == "twin.silent"
    assert bench.ordered == []


def asked(bench: Bench, method: str, path: str, token: str = TOKEN) -> int:
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_X_STRONGROOM_TOKEN": token, "wsgi.url_scheme": "http"}
    return int(bench.page.before(lambda _: Response(status=418))(Request(environ)).status_code)


def test_a_machine_that_nobody_ordered_is_not_found_and_other_paths_are_left_to_others(bench):
    RemoteBoot(bench.url, TOKEN, ORDER)
    assert asked(bench, "GET", f"{PATH}/i-0") == 404
    assert asked(bench, "PUT", f"{PATH}/{bench.instance.instance_id}") == 404
    assert asked(bench, "GET", f"{PATH}/{bench.instance.instance_id}", token="guessed") == 403
    assert asked(bench, "GET", "/") == 418


@pytest.mark.parametrize("bench", [0.2], indirect=True)
def test_a_machine_is_switched_off_once_nobody_asks_for_it(bench):
    RemoteBoot(bench.url, TOKEN, ORDER)
    wait_until(lambda: bench.instance.ending, "it goes on")


def test_a_twin_that_has_ended_is_said():
    with pytest.raises(LocalFault) as caught:
        RemoteBoot("http://127.0.0.1:1", TOKEN, ORDER)
    assert caught.value.code == "twin.silent"
