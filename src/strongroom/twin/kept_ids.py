# SPDX-License-Identifier: Apache-2.0
"""The unique ids of users and roles across restarts of the twin, by their ARNs, in its state file."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping

from strongroom.twin.state_file import Row, StateFile

_KIND = "unique-id"


class KeptIds(MutableMapping[str, str]):
    """A mapping that is on disk. Raises what `StateFile` raises."""

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self._ids = {row.name: row.body or "" for row in file.rows(_KIND)}

    def __getitem__(self, arn: str) -> str:
        """Return the id of a principal."""
        return self._ids[arn]

    def __setitem__(self, arn: str, unique_id: str) -> None:
        """Keep the id of a principal."""
        self._file.write([Row(_KIND, arn, unique_id)])
        self._ids[arn] = unique_id

    def __delitem__(self, arn: str) -> None:
        """Forget a principal."""
        self._file.write([Row(_KIND, arn, None)])
        del self._ids[arn]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the ARNs."""
        return iter(self._ids)

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._ids)
