# SPDX-License-Identifier: Apache-2.0
import json
import struct

import pytest
from tests import event_logs
from tests.disks import gpt_disk, partition
from tests.fat_volumes import make_fat
from tests.images import make_uki
from tests.nitro_pki import PCRS, Pki, document, good_pki, root_pem
from tests.uefi_blobs import aws_blob
from tests.unit.measure.explain.boots import PCRS as MEASURED
from tests.unit.measure.explain.boots import events_of, image, inserted
from tests.unit.measure.explain.test_registers import CREDENTIAL, DRIVER, LINE, secure
from tests.unit.measure.test_secure_boot import OTHER, OURS, esl, signed

from strongroom.cli.main import run
from strongroom.formats.console import encode_receipt
from strongroom.formats.measurements import encode_measurements
from strongroom.formats.pcrs import PcrDigests
from strongroom.measure.events import EVENT_TYPES, EventType, event_over, replay
from strongroom.measure.predict import measure_image

NUMBERS = {kind: number for number, kind in EVENT_TYPES.items()}


def as_log(events) -> bytes:
    """A log of these digests; its text says nothing."""
    records = [event_logs.sha1_event(0, event_logs.NO_ACTION, event_logs.header())]
    for event in events:
        head = struct.pack("<III", event.pcr, NUMBERS[event.kind], 1)
        records.append(head + struct.pack("<H", event_logs.SHA384) + event.digest + struct.pack("<I", 1) + b"?")
    return b"".join(records)


def as_document(events) -> bytes:
    values = {int(index): value for index, value in replay(events, pcrs=MEASURED).items()}
    return document(pcrs=PcrDigests.of(PCRS | values))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "image").write_bytes(make_uki())
    (tmp_path / "other-image").write_bytes(make_uki(osrel=b"ID=other\n"))
    (tmp_path / "measurements").write_bytes(encode_measurements(measure_image(make_uki(), secure_boot=None)))
    for name, events in BOOTS.items():
        (tmp_path / f"{name}.cbor").write_bytes(as_document(events))
        (tmp_path / f"{name}.log").write_bytes(as_log(events))
    (tmp_path / "root").write_bytes(root_pem(good_pki()))
    return tmp_path


CLEAN = events_of(image())
READY = event_over(11, EventType.IPL, b"enter-initrd", "a boot phase")
BOOTS = {
    "clean": CLEAN,
    "line": inserted(CLEAN, 0, LINE),
    "credential": inserted(CLEAN, 0, CREDENTIAL),
    "driver": inserted(CLEAN, 0, DRIVER),
    "other": events_of(image(osrel=b"ID=other\n")),
}


DOCUMENT, LOG = ("--document", "clean.cbor"), ("--event-log", "clean.log")


@pytest.fixture
def explain(folder, capsys):
    def call(*words):
        """Options and file names of the folder."""
        paths = [word if word.startswith("--") else str(folder / word) for word in words]
        code = run(["explain", *paths, "--root", str(folder / "root")])
        return code, capsys.readouterr()

    return call


def codes(result):
    return [each["code"] for each in json.loads(result[1].out)["differences"]]


@pytest.mark.parametrize("predicted", [("--measurements", "measurements"), ("--image", "image")])
@pytest.mark.parametrize(
    "recorded",
    [
        ("--document", "clean.cbor"),
        ("--event-log", "clean.log"),
        ("--document", "clean.cbor", "--event-log", "clean.log"),
    ],
)
def test_a_boot_as_predicted_moved_nothing(explain, predicted, recorded):
    code, said = explain(*predicted, *recorded)
    assert code == 0
    assert said.out.startswith("Nothing that gates moved")
    assert "The same in both: PCR 2, 4, 7, " in said.out


@pytest.mark.parametrize(
    ("boot", "from_document", "with_log"),
    [
        ("line", "explain.added-input", "explain.added-input"),
        ("driver", "explain.driver", "explain.driver"),
        ("other", "explain.image", "explain.section"),
    ],
)
def test_what_moved_is_named_as_far_as_the_files_tell(explain, boot, from_document, with_log):
    base = ("--measurements", "measurements", "--document", f"{boot}.cbor", "--json")
    alone = explain(*base)
    assert (alone[0], codes(alone)) == (1, [from_document])
    both = explain(*base, "--event-log", f"{boot}.log")
    assert (both[0], codes(both)) == (1, [with_log])
    grounds = {each["grounds"] for each in json.loads(both[1].out)["differences"]}
    assert grounds <= {"proven", "logged"}


@pytest.mark.attack("A21")
def test_a_log_of_another_boot_says_nothing_about_the_document(explain):
    result = explain("--measurements", "measurements", "--document", "line.cbor", "--event-log", "clean.log", "--json")
    assert codes(result) == ["explain.added-input"]
    assert json.loads(result[1].out)["differences"][0]["grounds"] == "inferred"
    assert any("in PCR 12: it is not used there" in notice for notice in json.loads(result[1].out)["notices"])


def test_two_of_a_kind_are_compared_in_order(explain):
    code, said = explain("--image", "image", "--image", "other-image")
    assert code == 1
    assert "1 thing moved between the image image and the image other-image." in said.out
    assert "without 'ID=test' and with 'ID=other'" in said.out


def test_an_image_adds_to_its_measurements_what_they_leave_out(explain):
    result = explain("--measurements", "measurements", "--image", "image", "--document", "clean.cbor", "--json")
    assert 9 in json.loads(result[1].out)["same"]


def test_an_image_of_other_measurements_is_not_used_and_said(explain):
    code, said = explain("--measurements", "measurements", "--image", "other-image", "--document", "clean.cbor")
    assert code == 0
    assert "is not the one that the measurements measurements was made of" in said.out
    assert "PCR 4 of the document clean.cbor is not its own: nothing of it is used" in said.out


def test_the_image_that_did_boot_names_the_section_that_moved(explain):
    files = ("--measurements", "measurements", "--document", "other.cbor")
    assert "Give the image of the document other.cbor" in explain(*files)[1].out
    code, said = explain(*files, "--image", "other-image")
    assert code == 1
    assert "PCR 4, 11 (proven): the os-release (.osrel) moved" in said.out
    assert "the image other-image is the one that booted, by PCR 4 of the document other.cbor" in said.out
    assert "nothing of it is used" not in said.out


def test_an_image_that_did_boot_explains_nothing_that_its_replay_does_not_give(explain, folder):
    other = events_of(image(osrel=b"ID=other\n"))
    (folder / "both.cbor").write_bytes(as_document(inserted(other, 0, LINE)))
    result = explain("--measurements", "measurements", "--image", "other-image", "--document", "both.cbor", "--json")
    grounds = {each["code"]: each["grounds"] for each in json.loads(result[1].out)["differences"]}
    assert grounds["explain.section"] == "proven"
    assert grounds["explain.added-input"] == "inferred"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--measurements", "measurements"),
        ("--image", "image", "--image", "image", "--document", "clean.cbor"),
        ("--document", "clean.cbor", "--document", "line.cbor", "--image", "image"),
        ("--document", "clean.cbor", "--document", "line.cbor", "--event-log", "clean.log"),
    ],
)
def test_what_makes_no_pair_is_a_usage_error(explain, words):
    code, said = explain(*words)
    assert code == 2
    assert "explain.no-pair" in said.err


def test_a_document_of_another_root_is_not_explained(folder, capsys):
    (folder / "root").write_bytes(root_pem(Pki(root={"name": "another"}, keys={"root": good_pki().key("zonal")})))
    arguments = ["--measurements", str(folder / "measurements"), "--document", str(folder / "clean.cbor")]
    assert run(["explain", *arguments, "--root", str(folder / "root")]) == 4
    assert "chain.unknown-root" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--image", "measurements", "--document", "clean.cbor"), 3),
        (("--measurements", "image", "--document", "clean.cbor"), 3),
        (("--measurements", "measurements", "--document", "image"), 3),
        (("--measurements", "measurements", "--event-log", "image"), 3),
        (("--measurements", "nosuch", "--document", "clean.cbor"), 9),
    ],
)
def test_wrong_files_are_named(explain, words, code):
    result, said = explain(*words)
    assert result == code
    assert "Traceback" not in said.err


def test_the_image_on_a_disk_is_taken_and_what_lies_beside_it_is_noted(explain, folder):
    tree = {"EFI": {"BOOT": {"BOOTX64.EFI": make_uki(), "BOOTX64.EFI.extra.d": {"root.cred": b"c"}}}}
    (folder / "disk").write_bytes(gpt_disk(partition(make_fat(tree).data, first=2048)))
    for predicted in (("--image", "disk"), ("--measurements", "measurements", "--image", "disk")):
        code, said = explain(*predicted, "--document", "line.cbor")
        assert code == 1
        assert "PCR 12 (inferred)" in said.out
        assert "root.cred" in said.out


def test_a_log_of_the_documents_boot_is_said_to_be_one(explain):
    code, said = explain("--document", "clean.cbor", "--event-log", "clean.log")
    assert code == 0
    assert said.out.startswith("the event log clean.log is of the boot that the document clean.cbor shows.\n")
    assert "It leads to PCR 0, 1, 2, 4, 5, 7, " in said.out


@pytest.mark.attack("A21")
def test_a_log_of_another_boot_is_said_to_be_none_of_the_document(explain):
    files = ("--document", "clean.cbor", "--event-log", "line.log")
    code, said = explain(*files)
    assert code == 1
    assert said.out.startswith("the event log line.log is not of this boot: it leads to other values in PCR 12.\n")
    assert "keeps the machine from being trusted" not in said.out
    result = json.loads(explain(*files, "--json")[1].out)
    assert (result["moved"], result["differences"][0]["pcrs"]) == (True, [12])
    assert 4 in result["same"]


def test_a_log_that_ends_before_the_running_system_measured_is_of_the_boot(explain, folder):
    (folder / "running.cbor").write_bytes(as_document([*CLEAN, READY]))
    code, said = explain("--document", "running.cbor", "--event-log", "clean.log")
    assert code == 0
    assert "is of the boot that the document running.cbor shows" in said.out
    assert "Not to PCR 11: what was measured after the log's last event is not in it" in said.out


def test_what_only_a_log_says_is_not_called_proven(explain):
    said = explain("--measurements", "measurements", "--event-log", "line.log")[1].out
    assert "PCR 12 (logged)" in said
    assert "(proven)" not in said


def test_the_words_for_grounds_are_told_where_they_are_used(explain, capsys):
    assert "inferred: only the" in explain("--measurements", "measurements", "--document", "line.cbor")[1].out
    assert "inferred: only the" not in explain("--measurements", "measurements", "--document", "clean.cbor")[1].out
    assert run(["explain", "--help"]) == 0
    assert "inferred: only the" in capsys.readouterr().out


def test_what_is_no_log_is_named(explain):
    code, said = explain("--measurements", "measurements", "--event-log", "measurements")
    assert (code, "found a measurements file" in said.err) == (3, True)


def test_a_saved_console_is_explained_and_said_to_be_unchallenged(explain, folder):
    (folder / "console").write_bytes(b"[    0.1] Linux\n" + encode_receipt((folder / "line.cbor").read_bytes()))
    code, said = explain("--measurements", "measurements", "--document", "console")
    assert code == 1
    assert "PCR 12 (inferred)" in said.out
    assert "NOBODY CHALLENGED IT" in said.out


def test_an_image_is_explained_under_the_keys_that_it_should_boot_with(explain, folder):
    (folder / "signed").write_bytes(signed(OURS))
    (folder / "pk").write_bytes(esl(OTHER))
    (folder / "db").write_bytes(esl(OURS))
    (folder / "secure.log").write_bytes(as_log(events_of(secure(kek=b""))))
    files = ("--image", "signed", "--event-log", "secure.log", "--json")
    assert "explain.secure-boot-state" in codes(explain(*files))
    assert codes(explain(*files, "--pk", "pk", "--db", "db")) == []


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        (("--pk", "pk"), "--pk"),
        (("--pk", "pk", "--kek", "pk", "--db", "pk", "--dbx", "pk"), "--pk, --kek, --db, --dbx"),
        (("--owner", "00000000-0000-0000-0000-000000000000"), "--owner"),
        (("--uefi-data", "uefi-data"), "--uefi-data"),
    ],
)
@pytest.mark.parametrize("files", [("--measurements", "measurements", *DOCUMENT), (*DOCUMENT, *LOG)])
def test_keys_that_no_image_is_measured_under_are_a_usage_error(folder, capsys, monkeypatch, files, keys, named):
    (folder / "pk").write_bytes(esl(OTHER))
    (folder / "uefi-data").write_bytes(aws_blob([]))
    monkeypatch.chdir(folder)
    assert run(["explain", *files, *keys, "--root", "root"]) == 2
    said = capsys.readouterr()
    assert f"expected --image with {named}, found none" in said.err
    assert "[explain.keys-without-image]" in said.err
    assert said.out == ""


def test_a_hostile_log_cannot_write_to_the_terminal(explain, folder):
    data = (folder / "line.log").read_bytes()
    (folder / "line.log").write_bytes(data.replace(b"?", b"\x1b"))
    assert "\x1b" not in explain("--measurements", "measurements", "--event-log", "line.log")[1].out
