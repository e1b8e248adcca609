# SPDX-License-Identifier: Apache-2.0
"""Replace the policy of a key that others may be changing, too.

KMS has no compare-and-swap: of two who put a policy at the same time the later one wins, and nobody is told. So:

1. Read the policy once more: it still is the one that the change was made for.
2. Put the new one, in one call.
3. Read it back and compare by meaning. KMS may take a moment to show it (Developer Guide, "AWS KMS eventual
   consistency").
4. Read it once more a little later: whoever had read the old policy before step 2 has put his own by now.

What is left is somebody who needs longer than `SETTLING` between his reading and his putting.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from strongroom.errors import NotTrusted, ServiceFault
from strongroom.ids import KeyArn
from strongroom.keypolicy.difference import policy_differences
from strongroom.keypolicy.meaning import meaning
from strongroom.keypolicy.model import KeyPolicy, encode_key_policy, parse_key_policy_leniently
from strongroom.ports import KeyAdmin

Pause: TypeAlias = Callable[[timedelta], None]
"""Waits. It is handed in, as a clock is."""
SETTLING = timedelta(seconds=2)
"""Longer than the time from our last reading of a policy to KMS's taking the new one."""
_PATIENCE = 15
"""How often KMS is asked for a policy that it does not show yet."""


def at_once(_: timedelta) -> None:
    """Wait for nothing: for a twin, which shows at once what it was given, and where nobody else changes policies."""


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """The policy that was read from a key, and the one that is to replace it."""

    key_arn: KeyArn
    before: KeyPolicy
    after: KeyPolicy

    @property
    def is_one(self) -> bool:
        """Tell whether the two differ in meaning."""
        return meaning(self.before) != meaning(self.after)


def read_key_policy(admin: KeyAdmin, key_arn: KeyArn) -> KeyPolicy:
    """Return the policy on a key, also where it holds conditions that we do not know.

    Raises FormatError, and what the port raises.
    """
    return parse_key_policy_leniently(admin.key_policy(key_arn))


def put_policy(admin: KeyAdmin, change: PolicyChange, *, pause: Pause) -> None:
    """Put the new policy, and be sure that it is there.

    Raises NotTrusted when somebody else changes the policy: with code `key.changed-meanwhile` before anything was sent,
    with `key.policy` afterwards. ServiceFault when KMS does not show the new policy. What the port raises: after a
    ServiceFault of it nobody knows whether the policy was put, and doing all this again is safe.
    """
    # 1. Still what was read.
    now = read_key_policy(admin, change.key_arn)
    if meaning(now) != meaning(change.before):
        raise NotTrusted(
            "key.changed-meanwhile",
            f"expected the policy of {change.key_arn} as it was read a moment ago, found another; nothing was sent",
            findings=policy_differences(change.before, now),
            remedy="Find out who changes this key's policy, then try again from what is there then.",
        )
    # 2. In one call.
    admin.put_key_policy(change.key_arn, encode_key_policy(change.after))
    # 3. Read back.
    _expect_shown(admin, change, pause)
    # 4. Somebody who had read the old policy has put his by now.
    pause(SETTLING)
    expect_policy(admin, change.key_arn, change.after)


def _expect_shown(admin: KeyAdmin, change: PolicyChange, pause: Pause) -> None:
    for _ in range(_PATIENCE):
        now = read_key_policy(admin, change.key_arn)
        if meaning(now) == meaning(change.after):
            return
        if meaning(now) != meaning(change.before):
            raise _replaced(change.key_arn, change.after, now)
        pause(SETTLING)
    raise ServiceFault(
        "key.not-shown",
        f"expected KMS to show the policy that was put on {change.key_arn}, found the old one",
        retryable=True,
        remedy="Somebody may have put the old one back. Try again: what is there already is not changed twice.",
    )


def expect_policy(admin: KeyAdmin, key_arn: KeyArn, policy: KeyPolicy) -> None:
    """Raise NotTrusted unless KMS holds a policy of the same meaning."""
    now = read_key_policy(admin, key_arn)
    if meaning(now) != meaning(policy):
        raise _replaced(key_arn, policy, now)


def _replaced(key_arn: KeyArn, policy: KeyPolicy, now: KeyPolicy) -> NotTrusted:
    return NotTrusted(
        "key.policy",
        f"expected the policy that was put on {key_arn}, found another",
        findings=policy_differences(policy, now),
        remedy="Somebody else changes this key's policy. Find out who before anything is sealed under it.",
    )
