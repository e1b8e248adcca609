# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of the readers that meet hostile images, and logs of what they booted as.

By hand: python image_readers.py TARGET [libFuzzer options]. It ends with an error as soon as a reader raises anything
but FormatError or NotTrusted.
"""

import contextlib
import sys
import zlib

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["strongroom.formats", "strongroom.measure"]):
    from strongroom.errors import FormatError, NotTrusted
    from strongroom.formats.efi import parse_signature_database
    from strongroom.formats.event_log import parse_event_log
    from strongroom.formats.fat import parse_fat
    from strongroom.formats.gpt import parse_gpt
    from strongroom.formats.measurements import encode_measurements, parse_measurements
    from strongroom.formats.pe import parse_certificate_table, parse_pe
    from strongroom.measure.disk import boot_image
    from strongroom.measure.event_log import describe_events, replay_log
    from strongroom.measure.predict import measure_image


def pe(data: bytes) -> None:
    parse_certificate_table(parse_pe(data))


def uki(data: bytes) -> None:
    measure_image(data, secure_boot=None)


def measurements(data: bytes) -> None:
    parsed = parse_measurements(data)
    assert parse_measurements(encode_measurements(parsed)).pcrs == parsed.pcrs


def event_log(data: bytes) -> None:
    log = parse_event_log(data)
    for bank in log.banks:
        assert len(describe_events(log, bank)) == len(log.events)
        assert set(replay_log(log, bank)) >= {event.pcr for event in log.events if event.extends}


def gpt(data: bytes) -> None:
    """As it is; then with checksums that hold, as a mutation hardly ever has them."""
    with contextlib.suppress(FormatError):
        parse_gpt(memoryview(data))
    parse_gpt(memoryview(resealed(data)))


def resealed(data: bytes) -> bytes:
    disk = bytearray(data)
    for header in (512, len(disk) // 512 * 512 - 512):
        if header < 512 or len(disk) < header + 92:
            continue
        place, count, size = (int.from_bytes(disk[header + at : header + at + 4], "little") for at in (72, 80, 84))
        array = disk[place * 512 : place * 512 + min(count * size, len(disk))]
        disk[header + 88 : header + 92] = zlib.crc32(array).to_bytes(4, "little")
        disk[header + 16 : header + 20] = bytes(4)
        length = min(int.from_bytes(disk[header + 12 : header + 16], "little"), 512)
        disk[header + 16 : header + 20] = zlib.crc32(disk[header : header + length]).to_bytes(4, "little")
    return bytes(disk)


def fat(data: bytes) -> None:
    volume = parse_fat(memoryview(data))
    for entries in volume.folders.values():
        for entry in entries:
            if not entry.is_folder:
                assert len(volume.read(entry)) == entry.size_bytes
    volume.find("\\EFI\\BOOT\\BOOTX64.EFI")


def disk(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        boot_image(memoryview(data))
    boot_image(memoryview(resealed(data)))


def careless(data: bytes) -> None:
    """What the fuzzer has to find: a reader that trusts a length."""
    if data[:2] == b"MZ":
        data[int.from_bytes(data[2:4], "little")]


TARGETS = {
    "pe": pe,
    "uki": uki,
    "efi": parse_signature_database,
    "measurements": measurements,
    "event-log": event_log,
    "gpt": gpt,
    "fat": fat,
    "disk": disk,
    "careless": careless,
}


def main() -> None:
    target = TARGETS[sys.argv.pop(1)]

    def once(data: bytes) -> None:
        with contextlib.suppress(FormatError, NotTrusted):
            target(data)

    atheris.Setup(sys.argv, once)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
