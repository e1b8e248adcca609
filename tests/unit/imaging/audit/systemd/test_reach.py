# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.audit_images import LINK, MASK, SYSTEM, Entry, program, tree, unit

from strongroom.imaging.audit.systemd.reach import Reach
from strongroom.imaging.audit.systemd.units import Units

ETC, USR = "/etc/systemd/system", "/usr/lib/systemd/system"
A = {f"{USR}/a.service": unit(Service="ExecStart=/a")}
GENERATORS = "/usr/lib/systemd/system-generators"


def reach(files, *words, initrd=False):
    pairs = (word.partition("=") for word in words)
    return Reach(Units(tree({**SYSTEM, **files})), tuple((k, v if s else None) for k, s, v in pairs), initrd=initrd)


def chain(files, *words, name="a.service"):
    found = reach(files, *words)
    started = found.running(name)
    return started and found.chain(started)


def target(text):
    return {f"{USR}/multi-user.target": unit(Unit=f"Requires=basic.target|{text}")}


@pytest.mark.parametrize("key", ["Wants", "Requires", "BindsTo", "Upholds", "OnSuccess"])
def test_dependencies_start_a_unit(key):
    assert chain({**A, **target(f"{key}=a.service")}) == "multi-user.target, a.service"


@pytest.mark.parametrize("key", ["After", "Before", "Conflicts", "Requisite", "PartOf", "WantedBy"])
def test_other_settings_start_nothing(key):
    assert chain({**A, **target(f"{key}=a.service")}) is None


@pytest.mark.parametrize("kind", ["wants", "requires", "upholds"])
def test_folders_start_a_unit_also_under_the_alias_of_the_default_target(kind):
    for owner in ("multi-user.target", "default.target"):
        assert chain({**A, f"{ETC}/{owner}.{kind}/a.service": f"{LINK}{USR}/a.service"})


def test_what_is_installed_and_not_enabled_does_not_start():
    assert chain({f"{USR}/a.service": unit(Install="WantedBy=multi-user.target")}) is None


def test_a_masked_unit_leads_nowhere():
    files = {**A, **target("Wants=b.target"), f"{USR}/b.target": unit(Unit="Wants=a.service")}
    assert chain(files) == "multi-user.target, b.target, a.service"
    assert chain({**files, f"{ETC}/b.target": MASK}) is None
    assert chain(files, "systemd.mask=b.target") is None


@pytest.mark.parametrize(
    ("name", "text", "service"),
    [
        ("a.timer", unit(Timer="OnCalendar=daily"), "a.service"),
        ("a.path", unit(Path="PathExists=/x"), "a.service"),
        ("a.socket", unit(Socket="ListenStream=1"), "a.service"),
        ("a.socket", unit(Socket="Accept=yes"), "a@.service"),
        ("a.timer", unit(Timer="Unit=b.service"), "b.service"),
        ("a.socket", unit(Socket="Service=b.service"), "b.service"),
        ("a.automount", unit(Automount="Where=/a"), "a.mount"),
    ],
)
def test_what_is_triggered_starts(name, text, service):
    files = {f"{USR}/{name}": text, f"{USR}/{service}": unit(Service="ExecStart=/x"), **target(f"Wants={name}")}
    assert chain(files, name=service) == f"multi-user.target, {name}, {service}"


def test_sockets_of_a_service_start_with_it():
    files = {
        **A,
        f"{USR}/b.service": unit(Service="Sockets=c.socket"),
        f"{USR}/c.socket": unit(Socket="Service=a.service"),
    }
    assert chain({**files, **target("Wants=b.service")}) == "multi-user.target, b.service, c.socket, a.service"


def test_what_starts_after_a_failure_is_told_apart():
    found = reach(A)
    assert found.running("emergency.service").only_on_failure
    assert not found.running("strongroom.service").only_on_failure
    wanted = reach({**target("Wants=emergency.service")})
    assert not wanted.running("emergency.service").only_on_failure


def test_the_default_target_comes_from_its_link_or_the_command_line():
    assert reach({}).start == "multi-user.target"
    assert reach({f"{ETC}/default.target": f"{LINK}{USR}/rescue.target"}).start == "rescue.target"
    assert reach({}, "systemd.unit=rescue.target").start == "rescue.target"
    assert reach({}, "single").start == "rescue.target"
    assert reach({}, "3").start == "multi-user.target"
    assert reach({f"{ETC}/default.target": MASK}).start == "rescue.target"
    assert (
        reach({f"{USR}/initrd.target": unit(Unit="")}, "systemd.unit=a.service", "single", initrd=True).start
        == "initrd.target"
    )
    assert reach({f"{USR}/a.target": unit(Unit="")}, "rd.systemd.unit=a.target", initrd=True).start == "a.target"


@pytest.mark.parametrize(
    ("condition", "runs"),
    [
        ("ConditionPathExists=/etc/there", True),
        ("ConditionPathExists=!/etc/there", False),
        ("ConditionPathExists=/etc/gone", False),
        ("ConditionPathExists=!/etc/gone", True),
        ("ConditionPathExists=%/etc/gone", True),
        ("ConditionPathExists=%!/etc/there", True),
        ("ConditionPathExists=/run/gone", True),
        ("AssertPathExists=/etc/gone", False),
        ("ConditionKernelCommandLine=debug", False),
        ("ConditionKernelCommandLine=!debug", True),
        ("ConditionKernelCommandLine=quiet", True),
        ("ConditionKernelCommandLine=mode=a", True),
        ("ConditionKernelCommandLine=mode=b", False),
        ("ConditionKernelCommandLine=%debug", True),
        ("ConditionPathExists=/etc/gone|ConditionPathExists=", True),
    ],
)
def test_conditions_that_the_image_decides_keep_a_unit_from_running(condition, runs):
    text = unit(Unit=condition).replace("%", "|")  # one of several is enough: that is not worked out
    files = {f"{USR}/a.service": text, "/etc/there": "x", **target("Wants=a.service")}
    assert (chain(files, "quiet", "mode=a") is not None) is runs


def test_a_condition_on_an_unknown_command_line_is_taken_to_hold():
    files = {f"{USR}/a.service": unit(Unit="ConditionKernelCommandLine=debug"), **target("Wants=a.service")}
    assert chain(files)


def test_a_condition_keeps_a_unit_from_running_and_not_what_it_pulls_in():
    files = {
        **A,
        f"{USR}/b.service": unit(Unit="ConditionPathExists=/etc/gone|Wants=a.service"),
        **target("Wants=b.service"),
    }
    assert chain(files, name="b.service") is None
    assert chain(files)


def test_devices_start_units():
    text = '# ENV{SYSTEMD_WANTS}+="b.service"\nA=="b", ENV{SYSTEMD_WANTS}+="a.service x.service"\n'
    rule = {"/usr/lib/udev/rules.d/9.rules": text}
    assert chain({**A, f"{USR}/b.service": unit(Unit=""), **rule})
    assert chain({**A, f"{USR}/b.service": unit(Unit=""), **rule}, name="b.service") is None


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["console=ttyS0,115200"], "serial-getty@ttyS0.service"),
        (["console=tty0", "console=hvc0"], "serial-getty@hvc0.service"),
        (["systemd.debug_shell"], "debug-shell.service"),
        (["systemd.debug-shell=ttyS1"], "debug-shell.service"),
        (["systemd.wants=a.service"], "a.service"),
        (["systemd.run=/bin/x"], "kernel-command-line.service"),
    ],
)
def test_generators_of_systemd_start_units(words, name):
    files = {**A, f"{USR}/kernel-command-line.service": unit(Unit="")}
    assert chain(files, *words, name=name)
    assert chain(files, name=name) is None
    masked = {f"/etc/systemd/system-generators/systemd-{each}-generator": MASK for each in ("getty", "debug", "run")}
    assert chain({**files, **masked}, *words, name=name) is None


@pytest.mark.parametrize(
    "words", [["console=tty1"], ["console=null"], ["console"], ["console=ttyS0", "systemd.getty_auto=0"]]
)
def test_no_getty_is_made_for_the_screen_or_where_it_is_told_so(words):
    assert not any(each.name.startswith("serial-getty") for each in reach({}, *words).all_running())


def test_a_generator_that_is_no_program_does_not_run():
    files = {f"{GENERATORS}/systemd-getty-generator": Entry("x", mode=0o644)}
    assert chain(files, "console=ttyS0", name="serial-getty@ttyS0.service") is None


def test_cloud_init_is_started_by_its_generator():
    files = {
        f"{GENERATORS}/cloud-init-generator": program(),
        f"{USR}/cloud-init.target": unit(Unit="Wants=a.service"),
        **A,
    }
    assert chain(files) == "multi-user.target, cloud-init.target, a.service"


FIRST = {f"{USR}/a.service": unit(Install="WantedBy=multi-user.target")}


@pytest.mark.parametrize(
    ("files", "words", "runs"),
    [
        ({}, ["systemd.volatile=overlay"], True),
        ({}, ["root=/dev/sda"], True),
        ({}, ["roothash=ab"], False),
        ({}, ["roothash=ab", "systemd.volatile=state"], False),
        ({"/etc/machine-id": "uninitialized\n"}, ["systemd.volatile"], True),
        ({"/etc/machine-id": ""}, ["systemd.volatile=overlay"], False),
        ({"/usr/lib/systemd/system-preset/90.preset": "# a\ndisable *\n"}, ["systemd.volatile=overlay"], False),
        (
            {
                "/usr/lib/systemd/system-preset/90.preset": "disable *\n",
                "/etc/systemd/system-preset/10.preset": "enable a*\n",
            },
            ["systemd.volatile=overlay"],
            True,
        ),
        (
            {"/usr/lib/systemd/system-preset/90.preset": "disable *\n", "/etc/systemd/system-preset/90.preset": MASK},
            ["systemd.volatile=overlay"],
            True,
        ),
    ],
)
def test_the_first_boot_enables_what_presets_say_where_etc_can_be_written(files, words, runs):
    assert (chain({**FIRST, **files}, *words) is not None) is runs
