import pytest

from local import packages
from local.report import Stop

DPKG = (
    "ii \tpostgresql-15\tpostgresql-contrib-15\n"
    "ii \texim4-daemon-light\tdefault-mta, mail-transport-agent\n"
    "rc \tsendmail-bin\tmail-transport-agent\n"
)


def test_a_group_is_a_heading_and_a_package_a_line():
    text = "# all\n[mail]\npostfix   # the MTA\n\n[gettext]\ngettext\n"
    assert packages.groups(text) == {"mail": ["postfix"], "gettext": ["gettext"]}


def test_the_list_names_every_group_that_is_asked_for():
    assert {"python", "postgresql", "mail", "browser", "gettext"} <= packages.groups(packages.LIST.read_text()).keys()


def test_only_what_is_installed_counts():
    assert packages.installed(DPKG).keys() == {"postgresql-15", "exim4-daemon-light"}


def test_another_mail_server_is_never_thrown_out():
    present = packages.installed(DPKG)
    with pytest.raises(Stop, match=r"exim4-daemon-light[\s\S]*apt-get install .*postfix"):
        packages.ensure("mail", present=present)


def test_our_own_mail_server_is_no_foreign_one():
    assert packages.foreign_mta({"postfix": "default-mta, mail-transport-agent"}) is None


def test_without_root_the_one_command_is_named(monkeypatch):
    monkeypatch.setattr(packages.os, "geteuid", lambda: 1000)
    with pytest.raises(Stop, match="as root:\n  apt-get install --no-install-recommends gettext"):
        packages.ensure("gettext", present={"dpkg": ""})


def test_what_denied_services_before_is_put_back(monkeypatch, tmp_path):
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "POLICY", policy)
    with packages._no_services():
        assert policy.read_text() == packages.DENY
    assert not policy.exists()
    policy.write_text("#!/bin/sh\nexit 0\n")
    policy.chmod(0o700)
    with pytest.raises(KeyboardInterrupt), packages._no_services():
        raise KeyboardInterrupt
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.stat().st_mode & 0o777 == 0o700
