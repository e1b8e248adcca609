# SPDX-License-Identifier: Apache-2.0
"""A gate that is left out is left out altogether, and no other is."""

import json

import pytest
from tests.images import make_uki

from strongroom.formats.pcrs import PcrIndex
from strongroom.keypolicy.model import encode_key_policy
from strongroom.measure.predict import measure_image
from strongroom.twin.attack import vendor as vendor_module
from strongroom.twin.attack.canary import Canary
from strongroom.twin.attack.vendor import CUSTOMER, ROLE, Asked, TwinVendor, without_gates
from strongroom.twin.firmware import Firmware
from strongroom.twin.server import Twin

IMAGE = make_uki()
CANARY = Canary("canary-8f14e45fceea167a5a36dedd4bea2543")
PCR4, PCR12 = PcrIndex(4), PcrIndex(12)
APPENDED = Firmware(load_options="init=/bin/sh")


@pytest.fixture(scope="module")
def twin():
    with Twin() as twin:
        yield twin


@pytest.fixture(scope="module")
def vendor(twin):
    return TwinVendor(twin, CANARY)


@pytest.fixture(scope="module")
def pcrs():
    return measure_image(IMAGE, secure_boot=None).pcrs


def launch(twin, firmware=None):
    return twin.launch(IMAGE, account=CUSTOMER, role=ROLE, firmware=firmware)


def test_the_image_opens_with_every_gate_and_without_one(twin, vendor, pcrs):
    for without in ([], [PCR4], [PCR12]):
        assert vendor.ask(vendor.make_safe([pcrs], without=without), launch(twin)) == Asked(CANARY.text)


def test_a_gate_refuses_and_is_named_and_without_it_the_secret_is_out(twin, vendor, pcrs):
    machine = launch(twin, APPENDED)
    refused = Asked("", "KMS: DenyUnlessPcr12", (12,))
    assert vendor.ask(vendor.make_safe([pcrs]), machine) == refused
    assert vendor.ask(vendor.make_safe([pcrs], without=[PCR4]), machine) == refused
    assert vendor.ask(vendor.make_safe([pcrs], without=[PCR12]), machine) == Asked(CANARY.text)


def test_every_image_that_is_admitted_opens(twin, vendor, pcrs):
    other = make_uki(osrel=b"ID=older\n")
    older = measure_image(other, secure_boot=None).pcrs
    machine = twin.launch(other, account=CUSTOMER, role=ROLE)
    assert vendor.ask(vendor.make_safe([pcrs]), machine).refused_by == "KMS: DenyUnlessPcr4"
    assert vendor.ask(vendor.make_safe([pcrs, older]), machine) == Asked(CANARY.text)


def test_nothing_else_of_a_policy_changes(twin, vendor, pcrs, monkeypatch):
    seen = []
    monkeypatch.setattr(vendor_module, "without_gates", lambda policy, gates: seen.append(policy) or policy)
    vendor.make_safe([pcrs])
    (policy,) = seen
    whole, less = (json.loads(encode_key_policy(each)) for each in (policy, without_gates(policy, [PCR12])))
    assert json.loads(encode_key_policy(without_gates(policy, []))) == whole
    changed = {each["Sid"] for each in whole["Statement"] if each not in less["Statement"]}
    assert {sid for sid in changed if not sid.startswith("Open")} == {"DenyUnlessPcr12"}
    assert len(changed) == 2
    assert "NitroTPMPCR12" not in json.dumps(less)
    assert json.dumps(whole).count("NitroTPMPCR") - json.dumps(less).count("NitroTPMPCR") == 2
