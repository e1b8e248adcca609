# SPDX-License-Identifier: Apache-2.0
"""Takes little-endian fields off bytes, one after the other, as the structures of UEFI and of the TCG are laid out."""

from __future__ import annotations

import uuid

from strongroom.errors import FormatError

_GUID_BYTES = 16


class Fields:
    """Where reading has come to in some bytes. Whatever would end behind them is refused before it is read."""

    def __init__(self, data: bytes, *, spec: str) -> None:
        self.data = data
        self.spec = spec
        self.offset = 0

    @property
    def left_bytes(self) -> int:
        """How many bytes were not taken yet."""
        return len(self.data) - self.offset

    def truncated(self, message: str) -> FormatError:
        """Return the error for bytes that end too early."""
        return FormatError("efi.truncated", message, offset=self.offset, spec=self.spec)

    def take(self, size_bytes: int, what: str) -> bytes:
        """Return the next bytes. Raises FormatError where there are not as many."""
        if size_bytes > self.left_bytes:
            raise self.truncated(f"expected {size_bytes} bytes of {what}, found {self.left_bytes}")
        taken = self.data[self.offset : self.offset + size_bytes]
        self.offset += size_bytes
        return taken

    def number(self, size_bytes: int, what: str) -> int:
        """Return the next unsigned number. Raises FormatError where the bytes end."""
        return int.from_bytes(self.take(size_bytes, what), "little")

    def guid(self, what: str) -> uuid.UUID:
        """Return the next GUID, in which three fields are little-endian. Raises FormatError where the bytes end."""
        return uuid.UUID(bytes_le=self.take(_GUID_BYTES, what))

    def sized(self, number_bytes: int, what: str) -> bytes:
        """Return the bytes behind the number of `number_bytes` that counts them. Raises FormatError where they end."""
        return self.take(self.number(number_bytes, f"the length of {what}"), what)

    def rest(self) -> bytes:
        """Return all that was not taken yet."""
        return self.take(self.left_bytes, "the rest")

    def expect_end(self) -> None:
        """Raise FormatError where bytes are left."""
        if self.left_bytes:
            raise FormatError(
                "efi.trailing",
                f"expected the end, found {self.left_bytes} more bytes",
                offset=self.offset,
                spec=self.spec,
            )
