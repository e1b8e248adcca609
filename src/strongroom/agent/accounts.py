# SPDX-License-Identifier: Apache-2.0
"""From the users and groups that `agent.toml` names to numbers, by the image's own /etc/passwd and /etc/group."""

from __future__ import annotations

import grp
import pwd

from strongroom.agent.delivery import Owner
from strongroom.errors import LocalFault
from strongroom.formats.agent_config import Delivery


def owner_of(delivery: Delivery) -> Owner:
    """Return whose files a delivery's are. Raises LocalFault for a user or a group that the image does not have.

    A number needs no entry of its own, except that of a user for whom no group is named.
    """
    gid = None if delivery.group is None else _gid(delivery.group, delivery.bundle)
    if isinstance(delivery.owner, int) and gid is not None:
        return Owner(delivery.owner, gid)
    user = _user(delivery.owner, delivery.bundle)
    return Owner(user.pw_uid, user.pw_gid if gid is None else gid)


def _gid(group: str | int, bundle: str) -> int:
    try:
        return group if isinstance(group, int) else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise _unknown("agent.no-group", f"group {group!r}", bundle) from error


def _user(owner: str | int, bundle: str) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(owner) if isinstance(owner, int) else pwd.getpwnam(owner)
    except KeyError as error:
        raise _unknown("agent.no-user", f"user {owner!r}", bundle) from error


def _unknown(code: str, who: str, bundle: str) -> LocalFault:
    return LocalFault(
        code,
        f"expected the {who}, who gets {bundle}, in this image, found none",
        remedy="Add whoever it is to the image's specification, or name another in agent.toml.",
    )
