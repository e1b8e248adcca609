# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of the readers of UEFI variables: python uefi_readers.py TARGET [libFuzzer options].

Ends with an error as soon as a reader raises anything but FormatError, or reads what it does not write again.
"""

import base64
import contextlib
import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["strongroom.formats", "strongroom.measure", "strongroom.aws"]):
    from strongroom.aws import uefi_data
    from strongroom.errors import FormatError
    from strongroom.formats.edk2_store import parse_edk2_store
    from strongroom.formats.efi_variables import encode_aws_variables, parse_aws_variables
    from strongroom.formats.load_option import encode_load_option, parse_load_option
    from strongroom.measure.boot_options import describe_option, given_to_program, leads_to_default_loader
    from strongroom.measure.uefi_variables import variable_findings


def efi_variables(data: bytes) -> None:
    parsed = parse_aws_variables(data)
    assert encode_aws_variables(parsed) == data
    variable_findings(parsed)


def blob(data: bytes) -> None:
    """As text, and as what stands behind a good magic, checksum and version: the fuzzer finds no CRC32C."""
    with contextlib.suppress(FormatError):
        uefi_data.read_uefi_data(data)
    checked = bytes(4) + data
    raw = b"AMZNUEFI" + uefi_data._crc32c(checked).to_bytes(4, "little") + checked
    variable_findings(uefi_data.read_uefi_data(base64.b64encode(raw)))


def load_option(data: bytes) -> None:
    option = parse_load_option(data)
    assert encode_load_option(option) == data
    assert len(describe_option(option)) < 400
    given_to_program(option)
    leads_to_default_loader(option)


TARGETS = {
    "efi-variables": efi_variables,
    "uefi-data": blob,
    "load-option": load_option,
    "edk2-store": parse_edk2_store,
}


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]

    def once(data: bytes) -> None:
        with contextlib.suppress(FormatError):
            target(data)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
