# SPDX-License-Identifier: Apache-2.0
"""Events of boot loaders and of the kernel's EFI stub: EV_IPL of shim, GRUB and systemd, EV_EVENT_TAG.

Sources: UAPI group "Linux TPM PCR Registry"; systemd "TPM2 PCR Measurements Made by systemd"; GRUB manual, "Measured
Boot"; Linux, drivers/firmware/efi/libstub/efistub.h. All was compared with logs of such boots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from strongroom.formats.event_data import parse_tagged_event
from strongroom.formats.uki import MEASURABLE_SECTIONS
from strongroom.measure.wording.words import Proof, Subject, Words, anything, quoted, shown, text_of

_GRUB_PREFIXES = {
    "grub_cmd: ": "a command of GRUB",
    "kernel_cmdline: ": "the kernel's command line",
    "module_cmdline: ": "the command line of a module",
}
_CPIO = b"07070"
"""How the archives begin in which a stub hands over credentials and extensions (cpio(5), "newc")."""
COMMAND_LINE, CREDENTIAL, EXTENSION = "command-line", "credential", "extension"
"""What a stub adds to an image from outside, as subjects of events."""
_CONTENTS = {
    "Credentials initrd": ("credentials that lay beside the image", CREDENTIAL),
    "Global credentials initrd": ("credentials that lay on the EFI partition", CREDENTIAL),
    "System extension initrd": ("system extensions that lay beside the image", EXTENSION),
    "Configuration extension initrd": ("configuration extensions that lay beside the image", EXTENSION),
    "MokList": ("shim's list of the owner's keys", ""),
    "MokListX": ("shim's list of forbidden keys and images", ""),
    "MokListTrusted": ("whether Linux trusts the owner's keys of shim", ""),
}
"""What systemd-stub and shim measure without putting it into the log, by what they call it there."""
_TAGS = {
    0x8F3B22EC: "the initrd that Linux was given",
    0x8F3B22ED: "the command line that Linux was given",
    0xF5BC582A: "systemd-boot's configuration",
    0x6C46F751: "a device tree from an add-on",
    0x49DFFE0F: "an initrd from an add-on",
    0xDAC08E1A: "microcode from an add-on",
    0x13AED6DB: "the profile of the unified kernel image that was picked",
    0xD5CB7CBC: "SMBIOS: the system",
    0xE0D47BC8: "SMBIOS: the board",
    0xC0B3BD23: "SMBIOS: the maker's strings, which may hold credentials",
}


def ipl(subject: Subject) -> Words:
    """Put EV_IPL into words: by the PCR, as each belongs to one writer."""
    return _BY_PCR.get(subject.event.pcr, anything)(subject)


def tag(subject: Subject) -> Words:
    """Put EV_EVENT_TAG into words. Measured is the thing, not its name."""
    tagged = parse_tagged_event(subject.event.data)
    if tagged.tag in _TAGS:
        return Words(f"{_TAGS[tagged.tag]} (the log calls it {shown(tagged.name)})", Proof.CLAIMED)
    return Words(f"tag 0x{tagged.tag:08x}: {shown(tagged.name)}", subject.proof(subject.event.data))


def _grub_text(subject: Subject) -> Words:
    """GRUB measures the text without the word in front of it, and without NUL: the word is the log's."""
    text = text_of(subject.event.data) or ""
    prefix = next((prefix for prefix in _GRUB_PREFIXES if text.startswith(prefix)), None)
    if prefix is None:
        return anything(subject)
    rest = text.removeprefix(prefix)
    return Words(f"{quoted(rest)} (the log calls it {_GRUB_PREFIXES[prefix]})", subject.proof(rest.encode()))


def section(subject: Subject) -> Words | None:
    """Put what systemd-stub measures into PCR 11 into words: a section's name, in ASCII with a NUL, then its contents.

    Neither the log's type nor its text plays a part, so that nobody can make a name of contents. None for other events.
    """
    if subject.section:
        return Words(f"contents of section {subject.section}", Proof.COVERED, subject=subject.section)
    for name in MEASURABLE_SECTIONS:
        if subject.proof(name.encode() + b"\0") is Proof.COVERED:
            return Words(f"name of section {name}", Proof.COVERED, section=name, subject=name)
    return None


def _command_line(subject: Subject) -> Words:
    """Measured is the text in UTF-16, with its closing NUL (systemd-stub 252) or without (as its documentation says).

    Anything else in this PCR is put into words by its name.
    """
    data = subject.event.data
    if subject.proof(data, data[:-2] if data.endswith(b"\0\0") else data) is Proof.CLAIMED:
        return _contents(subject)
    if data.startswith(_CPIO):  # a log may hold the bytes of a credential, which are no command line in any encoding
        return anything(subject)
    text = data.decode("utf-16-le", "replace").rstrip("\0")  # in no other encoding: this is what the kernel was given
    return Words(f"kernel command line {quoted(text)}", Proof.COVERED, subject=COMMAND_LINE)


def _contents(subject: Subject) -> Words:
    """Words for something that was measured, and of which the log holds a name alone."""
    text = text_of(subject.event.data)
    if subject.proof(subject.event.data) is Proof.COVERED or text is None:
        return anything(subject)
    known, kind = _CONTENTS.get(text, (f"contents of what the log calls {quoted(text)}", ""))
    return Words(known, Proof.CLAIMED, subject=kind)


_BY_PCR: Mapping[int, Callable[[Subject], Words]] = {
    8: _grub_text,
    9: _contents,
    11: _contents,
    12: _command_line,
    13: _contents,
    14: _contents,
}
