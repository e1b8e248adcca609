# SPDX-License-Identifier: Apache-2.0
"""What a guest reaches: its metadata service and the twin under AWS's names; this machine and the world it does not."""

import contextlib
import socket
import threading

import pytest
from tests.boot.guest_disk import NETWORK, busybox_image, disk_of
from tests.processes import wait_until

from strongroom.measure.predict import measure_image
from strongroom.twin.accounts import FULL_ACCESS
from strongroom.twin.qemu.hardware import Forward, Hardware
from strongroom.twin.qemu.machine import Cause
from strongroom.twin.server import Twin

pytestmark = pytest.mark.slow

BOOT_SECONDS = 180
GATES = (2, 4, 7, 12, 13)
CUSTOMER = "222222222222"


def asks(this_machine: str, port: int, twin_port: int) -> str:
    """What the guest tries, and prints of it."""
    request = "PUT /latest/api/token HTTP/1.1\\r\\nHost: 169.254.169.254\\r\\nConnection: close\\r\\n"
    reach = f"""
reach() {{ if echo | nc -w 4 $1 $2 > /dev/null 2>&1; then echo "REACHED $1 $2"; else echo "NOT REACHED $1 $2"; fi; }}
reach 10.0.2.2 443
reach 10.0.2.2 4601
reach 10.0.2.2 {port}
reach 10.0.2.2 {twin_port}
reach {this_machine} {port}
reach 127.0.0.2 {port}
reach 198.51.100.1 80
"""
    return f"""{NETWORK}
printf '{request}X-aws-ec2-metadata-token-ttl-seconds: 60\\r\\n\\r\\n' | nc -w 5 169.254.169.254 80 > /token
while read -r line; do token=$line; done < /token; token=$(cat /token | sed -n '$p')
header="X-aws-ec2-metadata-token: $token"
get() {{ wget -q -O - --header "$header" "http://169.254.169.254/latest/$1"; }}
echo "INSTANCE $(get meta-data/instance-id)"
echo "ROLE $(get meta-data/iam/security-credentials/)"
echo "USER DATA $(get user-data)"
echo "DOCUMENT $(get dynamic/instance-identity/document | grep accountId)"
echo "WITHOUT TOKEN $(wget -O - http://169.254.169.254/latest/user-data 2>&1 | grep -c 401)"
echo "NAME $(nslookup kms.eu-central-1.amazonaws.com 10.0.2.3 | grep '^Address' | tail -n 1)"
echo "LINK NAME $(nslookup bucket.s3.amazonaws.com 169.254.169.253 | grep '^Address' | tail -n 1)"
echo "FOREIGN NAME $(nslookup example.com 10.0.2.3 2>&1 | grep -c NXDOMAIN)"
{reach}
while :; do echo "from the guest" | nc -l -p 8080; done &
echo SERVING
sleep 600
"""


@contextlib.contextmanager
def watched_port():
    """A port on every address of this machine, and who came."""
    came: list[object] = []
    with socket.create_server(("0.0.0.0", 0)) as listening:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, peer = listening.accept()
                    came.append(peer)
                    connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1], came
        listening.shutdown(socket.SHUT_RDWR)


def address_of_this_machine() -> str:
    """An address that other machines would use; the loopback one where there is no other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        try:
            any_socket.connect(("198.51.100.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(any_socket.getsockname()[0])


def first_line(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as forwarded:
        return forwarded.makefile().readline()


def said(console: str, word: str) -> str:
    found = [line.partition(word)[2].strip() for line in console.splitlines() if line.startswith(f"{word} ")]
    assert len(found) == 1, f"{word}:\n{console[-3000:]}"
    return found[0]


def test_a_guest_reaches_its_metadata_service_and_the_twin_and_nothing_else(parts, tmp_path):
    with Twin() as twin, watched_port() as (port, came):
        account = twin.create_account(CUSTOMER, name="customer")
        twin.create_role(account, "app", policies=[FULL_ACCESS])
        here, twin_port = address_of_this_machine(), int(twin.endpoint_url.rpartition(":")[2])
        first_line(port)
        image = busybox_image(parts, asks(here, port, twin_port))
        (tmp_path / "disk.raw").write_bytes(disk_of(image))
        hardware = Hardware(tmp_path / "disk.raw", memory_mib=512, forwards=(Forward(0, 8080),))
        instance = twin.boot(hardware, account=account, role="app", user_data=b"bundles=s3://here")
        assert instance.console.wait_for("SERVING", seconds=BOOT_SECONDS), instance.console.text[-3000:]
        wait_until(lambda: first_line(instance.machine.forwarded[0]) == "from the guest\n", "nothing came", seconds=60)
        instance.machine.interrupt()
        assert instance.console.wait_for("NMI received", seconds=60), "it is a machine with a kernel that hears it"
        assert instance.ending is None
    console = instance.console.text
    assert instance.ending
    assert instance.ending.cause is Cause.STOPPED, "it ended with the twin"
    assert said(console, "INSTANCE") == instance.instance_id
    assert said(console, "ROLE") == "app"
    assert said(console, "USER DATA") == "bundles=s3://here"
    assert CUSTOMER in said(console, "DOCUMENT")
    assert said(console, "WITHOUT TOKEN") == "1"
    assert said(console, "NAME").endswith("10.0.2.2")
    assert said(console, "LINK NAME").endswith("10.0.2.2")
    assert said(console, "FOREIGN NAME") != "0"
    reached = {line.strip() for line in console.splitlines() if "REACHED" in line}
    assert reached == {
        *("REACHED 10.0.2.2 443", "REACHED 10.0.2.2 4601"),
        *(f"NOT REACHED {address} {port}" for address in ("10.0.2.2", "127.0.0.2", here)),
        *(f"NOT REACHED 10.0.2.2 {twin_port}", "NOT REACHED 198.51.100.1 80"),
    }
    assert len(came) == 1, "only the test itself has come to this machine's port"
    predicted = measure_image(image, secure_boot=None).pcrs
    assert {index: instance.pcrs[index] for index in GATES} == {index: predicted[index] for index in GATES}
