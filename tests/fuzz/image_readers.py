# SPDX-License-Identifier: Apache-2.0
"""Coverage-guided fuzzing of the readers that meet hostile images, and logs of what they booted as.

By hand: python image_readers.py TARGET [libFuzzer options]. It ends with an error as soon as a reader raises anything
but FormatError or NotTrusted.
"""

import contextlib
import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["strongroom.formats", "strongroom.measure"]):
    from strongroom.errors import FormatError, NotTrusted
    from strongroom.formats.efi import parse_signature_database
    from strongroom.formats.event_log import parse_event_log
    from strongroom.formats.measurements import encode_measurements, parse_measurements
    from strongroom.formats.pe import parse_certificate_table, parse_pe
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
