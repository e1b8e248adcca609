# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.event_logs import CRTM_VERSION, NO_ACTION, SMALL_BOOT, sha1_event
from tests.images import make_uki

from strongroom.formats.file_kind import FileKind, guess_kind


def at(offset: int, mark: bytes) -> bytes:
    return bytes(offset) + mark + bytes(600)


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (make_uki(), FileKind.EFI_IMAGE),
        (at(0, b"\x7fELF"), FileKind.ELF),
        (at(0, b"\x1f\x8b\x08"), FileKind.GZIP),
        (at(0, b"\x28\xb5\x2f\xfd"), FileKind.ZSTANDARD),
        (at(0, b"070701"), FileKind.CPIO),
        (at(512, b"EFI PART"), FileKind.DISK),
        (at(4096, b"EFI PART"), FileKind.DISK),
        (at(510, b"\x55\xaa"), FileKind.DISK),
        (at(510, b"\x55\xaa\0\0HdrS"), FileKind.LINUX),
        (at(0, b"QFI\xfb"), FileKind.QCOW2),
        (at(0, b"KDMV"), FileKind.VMDK),
        (at(0, b"# Disk DescriptorFile\n"), FileKind.VMDK),
        (at(0, b"vhdxfile"), FileKind.VHDX),
        (at(0, b"conectix"), FileKind.VHD),
        (at(64, b"\x7f\x10\xda\xbe"), FileKind.VDI),
        (at(1024, b"\xe2\xe1\xf5\xe0"), FileKind.FILE_SYSTEM),
        (bytes.fromhex("8444a1013822a05911"), FileKind.ATTESTATION_DOCUMENT),
        (b"\xd2" + bytes.fromhex("8444a1013822a05911"), FileKind.ATTESTATION_DOCUMENT),
        (bytes.fromhex("8443a10126a0"), FileKind.COSE),
        (b"\x89SRB\r\n\x1a\n\0\1", FileKind.BUNDLE),
        (b"\x89SRE\r\n\x1a\n\0\1", FileKind.ESCROW),
        (b"", FileKind.EMPTY),
        (b"QU1aTlVFRkkAAA", FileKind.UEFI_DATA),
        (SMALL_BOOT, FileKind.EVENT_LOG),
        (sha1_event(0, NO_ACTION, b"Spec ID Event02\0"), FileKind.EVENT_LOG),
        (sha1_event(0, NO_ACTION, b"StartupLocality\0\3"), FileKind.EVENT_LOG),
        (sha1_event(0, CRTM_VERSION, b"v1"), FileKind.EVENT_LOG),
        (b"QU1aTlVFRkmz9HKt", FileKind.UEFI_DATA),
        (at(40, b"_FVH"), FileKind.FIRMWARE_VOLUME),
        (b"-----BEGIN CERTIFICATE-----\n", FileKind.PEM_CERTIFICATE),
        (b"\x30\x82\x01\x02\x30", FileKind.DER),
        (b'\n {"Measurements": {}}', FileKind.MEASUREMENTS),
        (b'{"accountId": "1", "instanceId": "i", "pendingTime": "t"}', FileKind.IDENTITY_DOCUMENT),
        (b'{"accountId": "1"}', FileKind.JSON),
        (b"hello\nworld", FileKind.TEXT),
        (b"\0\1\2", FileKind.UNKNOWN),
        (b"\xff\xfe", FileKind.UNKNOWN),
    ],
)
def test_a_file_is_named_by_its_first_bytes(head, kind):
    assert guess_kind(head) is kind


def test_a_line_that_is_almost_base64_takes_no_time():
    assert guess_kind(b"a" * 511 + b"!") is FileKind.TEXT


def test_every_genuine_event_log_is_known_by_its_first_bytes(genuine_vectors):
    logs = sorted((genuine_vectors / "event-logs").iterdir())
    assert len(logs) == 9
    assert {guess_kind(log.read_bytes()) for log in logs} == {FileKind.EVENT_LOG}
