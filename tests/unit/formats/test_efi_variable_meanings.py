# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.boot.variables import GLOBAL, OWNER, SECURITY_DATABASE

from strongroom.formats.efi_variable_meanings import variable_sentence
from strongroom.formats.efi_variables import EfiVariable


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("BootOrder", b"\x01\0\x0a\0", "what is tried, in this order: Boot0001, Boot000A"),
        ("DriverOrder", b"\x01\0", "the drivers that run first, in this order: Driver0001"),
        ("SysPrepOrder", b"", "the programs that run before anything boots, in this order: nothing"),
        ("BootNext", b"\x02\0", "what is tried once, before all others: Boot0002"),
        ("BootCurrent", b"\x02", "what had booted when this was written, but it cannot be read"),
        ("Timeout", b"\x05\0", "how long the firmware waits for a key: 5 seconds"),
        (
            "BootOptionSupport",
            b"\x13\x03\0\0",
            "what the firmware that wrote this can start: boot options, hot keys, applications, SysPrep programs",
        ),
        ("BootOptionSupport", b"\0\0\0\0", "what the firmware that wrote this can start: boot options"),
        ("Boot00FF", b"1234", "something to boot; 4 bytes"),
        ("Driver0000", b"1", "a driver to run before anything boots; 1 byte"),
        ("PK", b"", "the platform key; Secure Boot is on where there is one; 0 bytes"),
        ("Unheard", b"12", "of UEFI; 2 bytes"),
    ],
)
def test_a_variable_is_put_into_words(name, data, sentence):
    assert variable_sentence(EfiVariable(name, GLOBAL, 7, data)) == sentence


def test_names_mean_something_to_known_vendors_only():
    assert variable_sentence(EfiVariable("db", SECURITY_DATABASE, 7, b"1")).startswith("the certificates and images")
    assert variable_sentence(EfiVariable("BootOrder", OWNER, 7, b"")).startswith(f"of vendor {OWNER}")
    assert "in this order" not in variable_sentence(EfiVariable("BootOrder", SECURITY_DATABASE, 7, b"\0\0"))
