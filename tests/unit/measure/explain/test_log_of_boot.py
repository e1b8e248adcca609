# SPDX-License-Identifier: Apache-2.0
"""Whether a log is of a document's boot. Documents hold what the log's own replay gives, and changes of that."""

import pytest
from tests.event_logs import SMALL_BOOT

from strongroom.formats.event_log import parse_event_log
from strongroom.formats.pcrs import PcrBank, PcrDigests
from strongroom.measure.banks import bank_digest, extend
from strongroom.measure.event_log import replay_log
from strongroom.measure.events import EXIT_ACTIONS
from strongroom.measure.explain.log_of_boot import LogOfBoot, log_of_boot

LOG = parse_event_log(SMALL_BOOT)
PCRS = {int(index): value for index, value in replay_log(LOG, PcrBank.SHA384).items()}
OTHER = b"\x44" * 48


def fit(**changes: bytes) -> LogOfBoot:
    return log_of_boot(LOG, PcrDigests.of(PCRS | {int(name[3:]): value for name, value in changes.items()}))


def test_a_log_that_leads_to_every_pcr_is_of_the_boot():
    assert fit() == LogOfBoot(leads_to=tuple(sorted(PCRS)), grown=(), contradicted=(), silent=())


@pytest.mark.attack("A21")
@pytest.mark.parametrize("index", sorted(PCRS.keys() - {11}))
def test_another_value_where_the_firmware_measures_is_of_another_boot(index):
    assert fit(**{f"pcr{index}": OTHER}).contradicted == (index,)


@pytest.mark.attack("A21")
def test_a_gate_of_which_the_log_says_nothing_contradicts_it():
    assert fit(pcr13=OTHER).contradicted == (13,)


@pytest.mark.parametrize("index", [10, 11, 15, 16, 23])
def test_what_the_running_system_measures_contradicts_no_log(index):
    found = fit(**{f"pcr{index}": OTHER})
    assert (found.grown, found.contradicted) == ((index,), ())


def test_a_log_from_before_the_firmware_left_is_of_the_boot():
    value = PCRS[5]
    for action in EXIT_ACTIONS:
        value = extend(PcrBank.SHA384, value, bank_digest(PcrBank.SHA384, action))
    found = fit(pcr5=value)
    assert (found.grown, found.contradicted) == ((5,), ())


def test_other_registers_without_events_are_named_apart():
    found = fit(pcr8=OTHER)
    assert (found.silent, found.contradicted) == ((8,), ())
