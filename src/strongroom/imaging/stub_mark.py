# SPDX-License-Identifier: Apache-2.0
"""The mark by which a systemd-stub says its version, for stubs that carry it where no reader looks.

Debian 12 builds systemd-stub for arm64 with a header written by hand: it names `.text` and `.data` alone, and `.sbat`
and `.sdmagic` lie behind the last section. An image without `.sdmagic` is not known to be attestable, neither here nor
to AWS's tool, so the stub's own mark goes into the image as the section that it should have been.
"""

from __future__ import annotations

import re

from strongroom.errors import FormatError
from strongroom.formats.pe import parse_pe

MARK_SECTION = ".sdmagic"
_MARK = re.compile(rb"#### LoaderInfo: \S{1,40} \S{1,64} ####\0?")


def missing_mark(stub: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return the section to add to an image of this stub: none where the stub has it, else its own mark.

    Raises FormatError for what is no PE image, and where there is not exactly one mark behind the sections.
    """
    image = parse_pe(stub)
    if any(section.name == MARK_SECTION for section in image.sections):
        return ()
    end = max(image.header_size, *(section.end for section in image.sections))
    found = _MARK.findall(stub[end:])
    if len(found) != 1:
        raise FormatError(
            "uki.no-mark",
            f"expected one mark of systemd-stub behind its sections, found {len(found)}",
            offset=end,
            spec="systemd-stub(7)",
            remedy="Take the stub of systemd-boot-efi of Debian 12 or newer.",
        )
    return ((MARK_SECTION, found[0]),)
