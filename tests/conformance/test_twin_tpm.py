# SPDX-License-Identifier: Apache-2.0
"""The emulated NitroTPM answers as libtpms, byte by byte, but for what is random and for what is listed here."""

import pytest
from tests.conformance.tpm_differential import Known, differences, judge, play
from tests.conformance.tpm_stories.registry import STORIES, WAITING

from strongroom.twin.nitrotpm.profile import Profile
from strongroom.twin.nitrotpm.tpm import NitroTpm

PROFILE = Profile(nv_index_bytes=2048, nv_indices=68, loaded_objects=3, persistent_objects=7, loaded_sessions=3)
"""The limits of libtpms."""

_PROFILE = "libtpms says another manufacturer, version and edition of the specification"
_FEWER = "algorithms, curves and commands of libtpms that a NitroTPM is not asked for"
_MORE = "AES-192 and all modes; libtpms of Debian 12 is built without"
_FREE = "libtpms counts what is left of 64 KiB, we count entries"
_DELETED = "libtpms forgets how far an orderly counter got when Clear removes it; here none ever begins below"
_LOCKED = "a lock that came after Shutdown(STATE) holds; libtpms forgets it with the power"
KNOWN = (
    Known("basics.frames", "*: tag 0x8000", "TPM_ST_NULL is a tag that libtpms's outer shell takes for one of its own"),
    Known("basics.parameters", "TestParms ECC: parameter byte 7 xor 0x01", _FEWER),
    Known("basics.parameters", "curve *", _FEWER),
    Known("basics.parameters", "AES *", _MORE),
    Known("basics.parameters", "ECC with scheme *", _FEWER),
    Known("basics.capabilities", "GetCapability: parameter byte *", _PROFILE),
    Known("basics.capabilities", "capability [02368], *", _FEWER),
    Known("basics.capabilities", "capability 4, *", "no command can be audited"),
    Known("basics.capabilities", "capability 7, *", "PCRs have neither policies nor authorization values"),
    Known("basics.properties_one_by_one", "property 0x1*", _PROFILE),
    Known("basics.properties_one_by_one", "property 0x20[9bd]", _FREE),
    Known("basics.lists_one_by_one", "*", _FEWER),
    Known("basics.counting_handles", "variable properties*", _FREE),
    Known("nv.full", "properties", _FREE),
    Known("shutdowns.what_takes_it_back", "*: orderly counter*", _DELETED),
    Known("shutdowns.what_takes_it_back", "read lock orderly: orderly data", _LOCKED),
)
OF_OTHER_FAMILIES = ("contexts.", "objects.", "policies.", "primaries.", "sessions.", "signatures.")
TOLD = [name for name in STORIES if not name.startswith(OF_OTHER_FAMILIES)]
SLOW_ONES_MARKED = [pytest.param(name, marks=pytest.mark.slow) if name in WAITING else name for name in TOLD]


class Powered(NitroTpm):
    """A NitroTPM with the power switch of the other TPMs."""

    power_cycle = NitroTpm.cut_power


@pytest.mark.parametrize("name", SLOW_ONES_MARKED)
def test_it_answers_as_libtpms_does(name, libtpms):
    found = differences(play(STORIES[name], libtpms), play(STORIES[name], Powered(profile=PROFILE)))
    complaints = judge(found, [entry for entry in KNOWN if entry.story == name])
    assert not complaints, "\n".join(["libtpms answers, and the NitroTPM:", *complaints])


def test_known_differences_are_of_stories_that_are_told():
    assert {entry.story for entry in KNOWN} <= set(TOLD)
