# SPDX-License-Identifier: Apache-2.0
import pytest
from tests.audit_images import LINK, MASK, Entry, tree, unit

from strongroom.imaging.audit.systemd.units import Units, template_of

ETC, LOCAL, USR = "/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"
A = unit(Service="ExecStart=/a")


def units(files):
    return Units(tree(files))


def starts(files, name="a.service"):
    return [each.value for each in units(files).load(name).given("Service", "ExecStart")]


def test_the_first_folder_of_the_search_path_counts():
    files = {f"{USR}/a.service": A, f"{LOCAL}/a.service": unit(Service="ExecStart=/b")}
    assert starts(files) == ["/b"]
    assert starts({**files, f"{ETC}/a.service": unit(Service="ExecStart=/c")}) == ["/c"]


def test_units_without_a_merged_usr_are_found():
    assert starts({"/lib/systemd/system/a.service": A}) == ["/a"]


@pytest.mark.parametrize("mask", [MASK, f"{LINK}../../../dev/null", ""])
def test_a_link_to_nothing_and_an_empty_file_mask(mask):
    found = units({f"{USR}/a.service": A, f"{ETC}/a.service": mask})
    assert found.load("a.service").masked
    assert not found.exists("a.service")


def test_an_alias_leads_to_the_unit():
    found = units({f"{USR}/a.service": A, f"{ETC}/b.service": f"{LINK}{USR}/a.service"})
    assert found.load("b.service").name == "a.service"
    assert found.load("b.service").path == f"{USR}/a.service"
    assert found.exists("b.service")


def test_an_alias_of_a_masked_unit_is_masked():
    found = units({f"{USR}/a.service": MASK, f"{ETC}/b.service": f"{LINK}{USR}/a.service"})
    assert found.load("b.service").masked


def test_a_link_out_of_the_search_path_is_the_unit_itself():
    found = units({"/opt/app/x.service": A, f"{ETC}/a.service": f"{LINK}/opt/app/x.service"}).load("a.service")
    assert (found.name, found.path) == ("a.service", "/opt/app/x.service")


@pytest.mark.parametrize("link", [f"{LINK}gone.service", f"{LINK}/opt/gone.service", f"{LINK}a.service"])
def test_a_link_to_no_file_is_no_unit(link):
    assert units({f"{ETC}/a.service": link}).load("a.service") is None
    assert units({f"{ETC}/other": ""}).load("b.service") is None


def test_an_instance_is_made_from_its_template_and_may_be_masked_alone():
    files = {f"{USR}/a@.service": A, f"{ETC}/a@two.service": MASK}
    assert units(files).load("a@one.service").name == "a@one.service"
    assert units(files).load("a@two.service").masked
    assert template_of("a@one.service") == "a@.service"
    assert template_of("a.service") == "a.service"


def test_an_alias_of_a_template_keeps_the_instance():
    files = {f"{USR}/a@.service": A, f"{USR}/b@.service": f"{LINK}a@.service"}
    assert units(files).load("b@one.service").name == "a@one.service"


def test_drop_ins_count_in_the_order_of_their_names_and_the_first_folder_wins():
    files = {
        f"{USR}/a.service": A,
        f"{USR}/a.service.d/20-b.conf": unit(Service="ExecStart=/20"),
        f"{ETC}/a.service.d/10-a.conf": unit(Service="ExecStart=|ExecStart=/10"),
    }
    assert starts(files) == ["/10", "/20"]
    assert starts({**files, f"{ETC}/a.service.d/20-b.conf": MASK}) == ["/10"]
    assert starts({**files, f"{ETC}/a.service.d/30.txt": unit(Service="ExecStart=/30")}) == ["/10", "/20"]


@pytest.mark.parametrize("owner", ["a-b@.service", "a-.service", "service", "a-b@c.service"])
def test_drop_ins_of_templates_prefixes_and_kinds_count(owner):
    files = {f"{USR}/a-b@.service": A, f"{ETC}/{owner}.d/x.conf": unit(Service="ExecStart=/x")}
    assert starts(files, "a-b@c.service") == ["/a", "/x"]


def test_drop_ins_of_an_alias_count():
    files = {
        f"{USR}/a.service": A,
        f"{ETC}/b.service": f"{LINK}{USR}/a.service",
        f"{ETC}/b.service.d/x.conf": unit(Service="ExecStart=/x"),
    }
    assert starts(files, "b.service") == ["/a", "/x"]


def test_links_that_pull_in_are_masked_by_name():
    files = {f"{USR}/t.target.wants/a.service": f"{LINK}../a.service", f"{USR}/t.target.wants/b.service": MASK}
    assert dict(units(files).linked("t.target", "wants")) == {"a.service": f"{USR}/t.target.wants/a.service"}
    assert not dict(units({**files, f"{ETC}/t.target.wants/a.service": MASK}).linked("t.target", "wants"))


def test_names_are_those_of_units():
    files = {f"{USR}/a.service": A, f"{ETC}/b@.socket": A, f"{ETC}/readme": "x", f"{ETC}/c.wants": Entry()}
    assert units(files).names() == ("a.service", "b@.socket")
