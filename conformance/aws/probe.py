# SPDX-License-Identifier: Apache-2.0
"""What a probe is: a function that sets something up in an account and returns a question to ask there.

Setting up and asking are apart because IAM and KMS need a moment until everybody there knows what is new. The question
is a function without arguments that can be asked again; its answer is a mapping of words, compared with what the row of
the behaviour expects. A probe does not know what is expected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conformance.aws.budget import Budget
from conformance.aws.documents import Need
from conformance.aws.workbench import Workbench

Seen = Mapping[str, str]
Ask = Callable[[], Seen]
Start = Callable[[Workbench], Ask]


@dataclass(frozen=True)
class Probe:
    """A probe by its name, what it may use up, and the documents without which it cannot be asked."""

    name: str
    start: Start
    budget: Budget
    needs: tuple[Need, ...] = ()


PROBES: dict[str, Probe] = {}


def probe(name: str, *needs: Need, **budget: int) -> Callable[[Start], Start]:
    """Enter a function as a probe. `budget` is in the words of Budget."""

    def enter(start: Start) -> Start:
        if name in PROBES:
            raise RuntimeError(f"two probes are called {name}")
        PROBES[name] = Probe(name, start, Budget(**budget), needs)
        return start

    return enter
