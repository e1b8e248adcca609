# SPDX-License-Identifier: Apache-2.0
"""Which units start: as systemd would find them, with drop-ins, instances, masks and activation."""

import pytest
from tests.host_trees import LINK, SYSTEM, UNITS, WANTS, make_tree, service

from strongroom.imaging.host_report.startup import startup
from strongroom.imaging.host_report.unit_files import read_unit, settings_in

RUNS = "[Service]\nExecStart=/usr/bin/app\n"


def started(planted, **words):
    return set(startup(make_tree({**SYSTEM, **planted}), **words).units)


def test_what_the_default_target_pulls_in_starts_and_nothing_else():
    found = started({**service("app.service", RUNS), f"{UNITS}/other.service": RUNS})
    assert "app.service" in found
    assert "other.service" not in found
    assert {"default.target", "basic.target", "sockets.target"} <= found


@pytest.mark.parametrize("folder", ["wants", "requires", "upholds"])
def test_units_are_pulled_in_by_folders_of_links(folder):
    link = f"/etc/systemd/system/basic.target.{folder}/a.service"
    assert "a.service" in started({f"{UNITS}/a.service": RUNS, link: f"{LINK}{UNITS}/a.service"})


@pytest.mark.parametrize("key", ["Wants", "Requires", "BindsTo", "Upholds"])
def test_units_are_pulled_in_by_settings(key):
    planted = service("app.service", f"[Unit]\n{key}=b.service c.service\n{RUNS}")
    assert {"b.service", "c.service"} <= started({**planted, f"{UNITS}/b.service": RUNS, f"{UNITS}/c.service": RUNS})


@pytest.mark.parametrize(
    ("kind", "setting", "starts"),
    [
        ("a.socket", "", "a.service"),
        ("a.socket", "[Socket]\nAccept=yes\n", "a@.service"),
        ("a.socket", "[Socket]\nService=b.service\n", "b.service"),
        ("a.timer", "[Timer]\nOnBootSec=1\n", "a.service"),
        ("a.path", "[Path]\nUnit=b.service\n", "b.service"),
        ("a.automount", "[Automount]\nWhere=/a\n", "a.mount"),
    ],
)
def test_what_is_activated_later_starts_too(kind, setting, starts):
    assert starts in started({**service(kind, setting or "[Socket]\nListenStream=1\n"), f"{UNITS}/{starts}": RUNS})


def test_a_masked_unit_does_not_start():
    planted = service("app.service", RUNS)
    assert "app.service" not in started({**planted, "/etc/systemd/system/app.service": f"{LINK}/dev/null"})
    assert "app.service" not in started({**planted, "/etc/systemd/system/app.service": ""})
    assert "app.service" not in started(planted, masked=("app.service",))


def test_the_command_line_may_name_another_target_and_more_units():
    planted = {f"{UNITS}/rescue.target": "[Unit]\nWants=r.service\n", f"{UNITS}/r.service": RUNS}
    assert "r.service" not in started(planted)
    assert "r.service" in started(planted, target="rescue.target")
    assert "r.service" in started(planted, wanted=("r.service",))


def test_what_only_a_failure_starts_is_told_apart():
    planted = service("app.service", f"[Unit]\nOnFailure=tell.service\n{RUNS}")
    found = startup(make_tree({**SYSTEM, **planted, f"{UNITS}/tell.service": RUNS}))
    assert found.after_failures == {"tell.service"}


def test_an_instance_is_read_from_its_template():
    planted = {f"{UNITS}/g@.service": RUNS, f"{WANTS}/g@tty1.service": f"{LINK}{UNITS}/g@.service"}
    found = startup(make_tree({**SYSTEM, **planted})).units["g@tty1.service"]
    assert found.value("ExecStart") == "/usr/bin/app"


def test_files_in_etc_come_first_and_drop_ins_last():
    tree = make_tree(
        {
            f"{UNITS}/a.service": "[Service]\nExecStart=/one\nUser=x\n",
            "/etc/systemd/system/a.service": "[Service]\nExecStart=/two\n",
            f"{UNITS}/a.service.d/50-a.conf": "[Service]\nExecStart=\nExecStart=/three\n",
            "/etc/systemd/system/a.service.d/50-a.conf": "[Service]\nExecStart=\nExecStart=/four\n",
            f"{UNITS}/a.service.d/10-b.conf": "[Service]\nUser=y\n",
        }
    )
    unit = read_unit(tree, "a.service")
    assert [setting.value for setting in unit.values("ExecStart")] == ["/four"]
    assert unit.value("User") == "y"
    assert unit.path == "/etc/systemd/system/a.service"


def test_a_drop_in_alone_speaks_of_a_unit_and_a_link_to_nothing_is_empty():
    tree = make_tree({f"{UNITS}/a.service.d/x.conf": RUNS, f"{UNITS}/b.service": f"{LINK}/nowhere"})
    assert read_unit(tree, "a.service").value("ExecStart") == "/usr/bin/app"
    assert read_unit(tree, "b.service").settings == ()
    assert read_unit(tree, "c.service") is None


def test_lines_go_on_after_a_backslash_and_comments_are_none():
    text = "[Service]\n# a comment\nExecStart=/a \\\n  # inside\n  --b \\\n  --c\n;Exec=/d\nnonsense\nUser = u \n"
    found = [(each.section, each.key, each.value, each.line) for each in settings_in(make_tree({"/f": text}), "/f")]
    assert [(section, key, line) for section, key, _, line in found] == [
        ("Service", "ExecStart", 3),
        ("Service", "User", 9),
    ]
    assert found[0][2].split() == ["/a", "--b", "--c"]
    assert found[1][2] == "u"
