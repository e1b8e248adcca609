# SPDX-License-Identifier: Apache-2.0
"""Which EFI stub a UKI was made with, and what is known about that stub.

Zeros in PCR 12 and 13 mean "no command line, credential or extension was added" only under a stub that measures those
(ATTACKS B1 to B4). An image with a stub that is not known to do so is not attestable, however good its other PCRs are.

systemd-stub names itself in the section `.sdmagic` (version 252 for aarch64 does so outside any section, where it is
lost when an image is assembled: such an image is refused, here as by AWS's tool). Amazon Linux 2023 builds it without
that section; AWS's `nitro-tpm-pcr-compute` then goes by `.osrel` and takes version 252, and so does this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from strongroom.errors import NotTrusted
from strongroom.formats.uki import Uki

SYSTEMD_STUB = "systemd-stub"
KNOWN_MAJORS = range(252, 259)
"""252 is the first to measure command lines into PCR 12 and extensions into PCR 13 by default (systemd NEWS); 258 is
the newest whose rules are modelled here."""
_KERNEL_NOT_MEASURED_FROM = 258
_PCR11_SECTIONS = {
    252: (".linux", ".osrel", ".cmdline", ".initrd", ".splash", ".dtb", ".pcrpkey"),
    257: (".linux", ".osrel", ".cmdline", ".initrd", ".uname", ".sbat"),
}
"""By major version, the sections that go into PCR 11, in order. 252 measures neither .uname nor .sbat; neither measures
.pcrsig, which depends on the result. Of 257 only these were compared with a boot."""

PCR11_ORDERS = tuple(_PCR11_SECTIONS.values())
"""Those orders, whatever the version."""

_MAGIC = re.compile(rb"#### LoaderInfo: (\S{1,40}) ((\d{1,4})\S{0,60}) ####\0*")
_AMAZON_LINUX_2023 = (b'NAME="Amazon Linux"', b'VERSION="2023"')
_AMAZON_LINUX_MAJOR = 252
_MAX_SECTION_BYTES = 4_096
_REMEDY = (
    f"Build the image with systemd-stub {KNOWN_MAJORS[0]} to {KNOWN_MAJORS[-1]} (systemd-boot-efi of Debian 12, on "
    "arm64 of Debian 13): its PCR 12 and 13 are known to show added command lines, credentials and extensions."
)


@dataclass(frozen=True, slots=True)
class Stub:
    """A recognised stub. `version` is as it says itself, or what it was taken for."""

    name: str
    version: str
    major: int
    says_so: bool
    """Whether the image carries `.sdmagic`; False where Amazon Linux 2023 was recognised instead."""

    @property
    def loads_kernel_through_firmware(self) -> bool:
        """Whether, with Secure Boot off, the firmware loads the kernel and so measures it into PCR 4.

        With Secure Boot on, none of the known versions lets it.
        """
        return self.major < _KERNEL_NOT_MEASURED_FROM

    @property
    def pcr11_sections(self) -> tuple[str, ...]:
        """The sections measured into PCR 11, in order; none for versions that were not compared with a real boot."""
        return _PCR11_SECTIONS.get(self.major, ()) if self.says_so else ()


def recognise_stub(uki: Uki) -> Stub:
    """Return the stub of an image. Raises NotTrusted for one that is not known to measure what the gates rely on."""
    magic = uki.section(".sdmagic")
    if magic is None:
        return _amazon_linux(uki)
    found = _MAGIC.fullmatch(bytes(magic[:_MAX_SECTION_BYTES]))
    if found is None or found.group(1) != SYSTEMD_STUB.encode():
        shown = bytes(magic[:60]).decode("ascii", "replace")
        raise NotTrusted("measure.unknown-stub", f"expected systemd-stub in .sdmagic, found {shown!r}", remedy=_REMEDY)
    stub = Stub(SYSTEMD_STUB, found.group(2).decode("ascii", "replace"), int(found.group(3)), says_so=True)
    if stub.major not in KNOWN_MAJORS:
        raise NotTrusted(
            "measure.unknown-stub-version",
            f"expected systemd-stub {KNOWN_MAJORS[0]} to {KNOWN_MAJORS[-1]}, found {stub.version}",
            remedy=_REMEDY,
        )
    return stub


def _amazon_linux(uki: Uki) -> Stub:
    lines = bytes((uki.section(".osrel") or memoryview(b""))[:_MAX_SECTION_BYTES]).splitlines()
    if not all(line in lines for line in _AMAZON_LINUX_2023):
        raise NotTrusted(
            "measure.unknown-stub",
            "expected a stub that names itself in .sdmagic, or Amazon Linux 2023 in .osrel, found neither",
            remedy=_REMEDY,
        )
    return Stub(SYSTEMD_STUB, str(_AMAZON_LINUX_MAJOR), _AMAZON_LINUX_MAJOR, says_so=False)
