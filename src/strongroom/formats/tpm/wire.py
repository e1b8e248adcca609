# SPDX-License-Identifier: Apache-2.0
"""Takes fields off a TPM's bytes, and puts them together again."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import TypeVar

from strongroom.errors import FormatError
from strongroom.formats.tpm.response_codes import Rc

_SPEC = "TPM 2.0 Library, Part 2"
T = TypeVar("T")
TAG_BYTES = 2
"""An algorithm, in front of what depends on it (TPMI_ALG_HASH and its kin)."""


class TpmFormatError(FormatError):
    """Bytes that are not the structure they should be. `rc` is what a TPM answers to them."""

    def __init__(self, code: str, message: str, *, rc: Rc, offset: int | None = None) -> None:
        super().__init__(code, message, offset=offset, spec=_SPEC)
        self.rc = rc


class Reader:
    """Where reading has come to in some bytes. Whatever would end behind them is refused before it is read."""

    __slots__ = ("_data", "_end", "offset")

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self._data = data
        self._end = len(data)
        self.offset = offset

    @property
    def left_bytes(self) -> int:
        """How many bytes were not taken yet."""
        return self._end - self.offset

    def take(self, size_bytes: int, what: str) -> bytes:
        """Return the next bytes. Raises TpmFormatError where there are not as many."""
        start, end = self.offset, self.offset + size_bytes
        if end > self._end:
            raise self._short(size_bytes, what)
        self.offset = end
        return self._data[start:end]

    def peek(self, size_bytes: int) -> bytes:
        """Return the next bytes, or as many as there are, and leave them."""
        return self._data[self.offset : self.offset + size_bytes]

    def skips(self, wanted: bytes) -> bool:
        """Go behind the next bytes if they are these, and say whether they are."""
        if not self._data.startswith(wanted, self.offset):
            return False
        self.offset += len(wanted)
        return True

    def u8(self, what: str) -> int:
        """Return the next byte."""
        return self.take(1, what)[0]

    def u16(self, what: str) -> int:
        """Return the next two bytes as a number."""
        start, end = self.offset, self.offset + 2
        if end > self._end:
            raise self._short(2, what)
        self.offset = end
        return int.from_bytes(self._data[start:end])

    def u32(self, what: str) -> int:
        """Return the next four bytes as a number."""
        start, end = self.offset, self.offset + 4
        if end > self._end:
            raise self._short(4, what)
        self.offset = end
        return int.from_bytes(self._data[start:end])

    def u64(self, what: str) -> int:
        """Return the next eight bytes as a number."""
        return int.from_bytes(self.take(8, what))

    def sized(self, what: str, *, most_bytes: int = 0xFFFF) -> bytes:
        """Return a TPM2B: two bytes of size, then as many. Raises TpmFormatError for more than `most_bytes`."""
        size_bytes = self.u16(what)
        if size_bytes > most_bytes:
            raise self.refused(Rc.SIZE, f"expected {what} to have at most {most_bytes} bytes, found {size_bytes}")
        return self.take(size_bytes, what)

    def tagged(self, known: Mapping[bytes, tuple[T, int]], rc: Rc, what: str) -> tuple[T, bytes]:
        """Return what a tag of two bytes is known for, and as many bytes behind it as belong to that.

        Raises TpmFormatError: with `rc` for a tag that is not known.
        """
        start = self.offset + TAG_BYTES
        found = known.get(self._data[self.offset : start])
        if found is None:
            raise self._unknown(rc, what)
        end = start + found[1]
        if end > self._end:
            self.offset = start
            raise self._short(found[1], what)
        self.offset = end
        return found[0], self._data[start:end]

    def choice(self, allowed: Container[int], rc: Rc, what: str) -> int:
        """Return the next two bytes, which must be one of these; else the refusal carries `rc`."""
        found = self.u16(what)
        if found not in allowed:
            raise self.refused(rc, f"expected a known {what}, found {found:#06x}")
        return found

    def count(self, most: int, what: str) -> int:
        """Return the number of entries of a list. Raises TpmFormatError for more than `most`."""
        found = self.u32(what)
        if found > most:
            raise self.refused(Rc.SIZE, f"expected at most {most} {what}, found {found}")
        return found

    def yes_no(self, what: str) -> bool:
        """Return a TPMI_YES_NO. Raises TpmFormatError for a byte that is neither 0 nor 1."""
        found = self.u8(what)
        if found > 1:
            raise self.refused(Rc.VALUE, f"expected 0 or 1 for {what}, found {found}")
        return bool(found)

    def structure(self, read: Callable[[Reader], T], what: str) -> T:
        """Return a structure with its size in front: a TPM2B that may not be empty. Raises TpmFormatError.

        It is read first and compared with its size then, as TPMs do: so a wrong size is SIZE, not INSUFFICIENT.
        """
        size_bytes = self.u16(f"the size of {what}")
        if size_bytes == 0:
            raise self.refused(Rc.SIZE, f"expected {what}, found nothing")
        start = self.offset
        found = read(self)
        if self.offset - start != size_bytes:
            raise self.refused(Rc.SIZE, f"expected {what} of {size_bytes} bytes, found {self.offset - start}")
        return found

    def rest(self) -> bytes:
        """Return all that was not taken yet."""
        return self.take(self.left_bytes, "the rest")

    def expect_end(self, what: str) -> None:
        """Raise TpmFormatError where bytes are left."""
        if self.left_bytes:
            raise self.refused(Rc.SIZE, f"expected the end of {what}, found {self.left_bytes} more bytes")

    def _unknown(self, rc: Rc, what: str) -> TpmFormatError:
        if self.left_bytes < TAG_BYTES:
            return self._short(TAG_BYTES, f"the tag of {what}")
        self.offset += TAG_BYTES
        return self.refused(rc, f"expected a known tag in front of {what}, found another")

    def _short(self, size_bytes: int, what: str) -> TpmFormatError:
        return self.refused(Rc.INSUFFICIENT, f"expected {size_bytes} bytes of {what}, found {self.left_bytes}")

    def refused(self, rc: Rc, message: str) -> TpmFormatError:
        """Return the error for what was just read."""
        return TpmFormatError("tpm.malformed", f"bytes of a TPM: {message}", rc=rc, offset=self.offset)


def u8(value: int) -> bytes:
    """Return a number as one byte."""
    return value.to_bytes(1)


def u16(value: int) -> bytes:
    """Return a number as two bytes."""
    return value.to_bytes(2)


def u32(value: int) -> bytes:
    """Return a number as four bytes."""
    return value.to_bytes(4)


def u64(value: int) -> bytes:
    """Return a number as eight bytes."""
    return value.to_bytes(8)


def sized(data: bytes) -> bytes:
    """Return bytes as a TPM2B."""
    return u16(len(data)) + data


def listed(entries: Iterable[bytes]) -> bytes:
    """Return a TPML: the number of entries, then each."""
    each = tuple(entries)
    return u32(len(each)) + b"".join(each)
