# SPDX-License-Identifier: Apache-2.0
"""The image itself: which of its sections moved, as far as the accounts tell."""

from __future__ import annotations

from collections.abc import Iterator

from strongroom.formats.pcrs import ZERO_SHA384, PcrIndex
from strongroom.measure.explain.account import PCR4, PCR9, BootAccount
from strongroom.measure.explain.changes import event_changes, moved_between
from strongroom.measure.explain.difference import Component, Difference, Grounds
from strongroom.measure.explain.image_parts import PCR11, Coverage, ImageParts

_NAMES = {
    ".linux": "the kernel",
    ".initrd": "the initrd",
    ".cmdline": "the kernel command line",
    ".osrel": "the os-release",
    ".uname": "the kernel's version string",
    ".sbat": "the SBAT revocation data",
    ".ucode": "the microcode",
    ".splash": "the boot picture",
    ".dtb": "the device tree",
    ".pcrpkey": "the key for signed PCR policies",
    ".pcrsig": "the signed PCR policies",
    ".sdmagic": "the stub's version mark",
}
_ROOT_HASHES = ("roothash=", "usrhash=")
_SHOWN = 8


def image_differences(reference: BootAccount, seen: BootAccount) -> Iterator[Difference]:
    """Yield what moved inside the image, or that it cannot be told."""
    if Coverage.NONE in (reference.parts.coverage, seen.parts.coverage):
        same = _equal(PCR11, reference, seen)
        yield _another_program(seen) if same else _another_image(reference, seen)
        return
    changed = list(_changed_sections(reference, seen))
    yield from changed
    if not changed:
        yield _another_stub(reference, seen) if _programs_known(reference, seen) else _another_program(seen)


def _programs_known(reference: BootAccount, seen: BootAccount) -> bool:
    return all(PCR4 in account.events or account.parts.uki is not None for account in (reference, seen))


def _another_program(seen: BootAccount) -> Difference:
    return Difference(
        "explain.other-program",
        Component.BOOT_PATH,
        f"the stub measured the same kernel, initrd, command line and os-release in {seen.name} (PCR 11), so another "
        "EFI program ran before the image, or the stub itself is another one. Such a program could also have forged "
        "PCR 11; an event log names it",
        (PCR4,),
        Grounds.INFERRED,
    )


def _another_image(reference: BootAccount, seen: BootAccount) -> Difference:
    lacking = reference.name if reference.parts.coverage is Coverage.NONE else seen.name
    return Difference(
        "explain.image",
        Component.IMAGE,
        f"another image, or another EFI program, ran in {seen.name} than in {reference.name}. "
        f"{_narrowed(reference, seen)}Which part of it moved cannot be told from the values alone: {lacking} does not "
        f"say what its sections hold. Give the image of {lacking}, or an event log of that boot",
        (PCR4,),
        Grounds.PROVEN if _programs_known(reference, seen) else Grounds.INFERRED,
        details=_programs(reference, seen),
    )


def _programs(reference: BootAccount, seen: BootAccount) -> tuple[str, ...]:
    changes = event_changes(PCR4, reference, seen)
    return () if changes is None else changes.rows(reference.name, seen.name)


def _equal(pcr: PcrIndex, reference: BootAccount, seen: BootAccount) -> bool:
    """Tell whether both know the register, and hold the same measured value."""
    value = reference.pcrs.get(pcr)
    return value is not None and value != ZERO_SHA384 and seen.pcrs.get(pcr) == value


def _narrowed(reference: BootAccount, seen: BootAccount) -> str:
    if PCR9 not in reference.pcrs or PCR9 not in seen.pcrs:
        return ""
    if _equal(PCR9, reference, seen):
        return "Linux got the same command line and the same initrd (PCR 9), so neither of them moved. "
    return "PCR 9 moved with it: Linux got another command line, another initrd, or both. "


def _changed_sections(reference: BootAccount, seen: BootAccount) -> Iterator[Difference]:
    before, after = reference.parts.sections, seen.parts.sections
    for name in _compared(reference.parts, seen.parts):
        if before.get(name) != after.get(name):
            sentence = _section_sentence(name, reference, seen) + _by_stubs(reference, seen)
            yield Difference(
                "explain.section", Component.SECTION, sentence, (PCR4, PCR11), Grounds.PROVEN, subject=name
            )


def _by_stubs(*accounts: BootAccount) -> str:
    """Return on whose word sections stand: a log's are what a stub measured, and a hostile one measures anything."""
    logged = [each.name for each in accounts if each.parts.coverage is Coverage.MEASURED]
    return f" (in {' and in '.join(logged)}, by what the stub that ran measured into PCR 11)" if logged else ""


def _compared(one: ImageParts, other: ImageParts) -> Iterator[str]:
    """Yield the sections of which both accounts would know: a log shows only those that the stub measures."""
    names = dict.fromkeys((*one.sections, *other.sections))
    if one.coverage is other.coverage is Coverage.ALL:
        yield from names
        return
    logged = [parts for parts in (one, other) if parts.coverage is Coverage.MEASURED]
    known = {name for parts in logged for name in parts.sections} | {*one.measured, *other.measured}
    yield from (name for name in names if name in known)


def _section_sentence(name: str, reference: BootAccount, seen: BootAccount) -> str:
    what = f"{_NAMES[name]} ({name})" if name in _NAMES else f"the section {name!r}"
    if name not in seen.parts.sections:
        return f"{what} is missing in {seen.name}"
    if name not in reference.parts.sections:
        return f"{what} was added in {seen.name}"
    return f"{what} moved{_text_sentence(name, reference, seen)}"


def _text_sentence(name: str, reference: BootAccount, seen: BootAccount) -> str:
    before, after = reference.parts.texts.get(name), seen.parts.texts.get(name)
    if before is None or after is None:
        known = before if after is None else after
        side = reference.name if after is None else seen.name
        return "" if known is None else f": it is {known!r} in {side}, and other bytes in the other"
    if name == ".cmdline":
        return _command_line_sentence(before, after)
    return _words_sentence(before.splitlines(), after.splitlines())


def _command_line_sentence(before: str, after: str) -> str:
    hashes = [_root_hash(line) for line in (before, after)]
    root = "; the dm-verity root hash moved, so it is another root file system" if hashes[0] != hashes[1] else ""
    return _words_sentence(before.split(), after.split()) + root


def _root_hash(line: str) -> tuple[str, ...]:
    return tuple(word for word in line.split() if word.startswith(_ROOT_HASHES))


def _words_sentence(before: list[str], after: list[str]) -> str:
    places = moved_between(before, after)
    gone, new = ([words[at] for at in moved] for words, moved in zip((before, after), places, strict=True))
    if not gone and not new:
        return ": the same words, in other spacing" if before == after else ": the same words, in another order"
    parts = [f"without {_listed(gone)}"] if gone else []
    parts += [f"with {_listed(new)}"] if new else []
    return f": {' and '.join(parts)}"


def _listed(words: list[str]) -> str:
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    return ", ".join(map(repr, words[:_SHOWN])) + more


def _another_stub(reference: BootAccount, seen: BootAccount) -> Difference:
    stubs = (reference.parts.stub, seen.parts.stub)
    which = f": {stubs[0]!r} there, {stubs[1]!r} here" if all(stubs) and stubs[0] != stubs[1] else ""
    by_stubs = _by_stubs(reference, seen)
    return Difference(
        "explain.stub",
        Component.STUB,
        f"every section that was compared is the same in {reference.name} and {seen.name}: what moved is the stub "
        f"itself, a section that only the stub reads, or the headers of the file{which}{by_stubs}",
        (PCR4,),
        Grounds.INFERRED if by_stubs else Grounds.PROVEN,
    )
