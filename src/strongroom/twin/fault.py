# SPDX-License-Identifier: Apache-2.0
"""The errors that AWS services answer with. They never leave the twin: the endpoint turns each into a reply."""

from __future__ import annotations


class AwsFault(Exception):  # noqa: N818 -- AWS's own word for the errors in a service's answers
    """An error reply: AWS's exception name, the HTTP status and the sentence."""

    def __init__(self, name: str, message: str, *, status: int = 400) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.status = status
