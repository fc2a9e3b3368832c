"""The shell part of ./ksc, with stand-ins for python and the package installers."""

import hashlib
import shutil
import subprocess

import pytest

from local.folders import CHECKOUT


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose .venv/bin/python only says what it was asked to do."""
    shutil.copy(CHECKOUT / "ksc", tmp_path)
    for name in ("demo", "dev", "uv"):
        (tmp_path / f"requirements-{name}.txt").write_text(f"{name}==1\n")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "uv"):
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*"\n[ ! -e fail ]\n')
        (programs / name).chmod(0o755)
    return tmp_path


def ksc(checkout, *arguments, path="/usr/bin:/bin"):
    command = ["./ksc", *arguments]
    done = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False, env={"PATH": path})
    return done.returncode, done.stdout.splitlines()


def stamp(checkout, name):
    content = (checkout / f"requirements-{name}.txt").read_bytes()
    (checkout / ".venv" / f"ksc-{name}.stamp").write_text(hashlib.sha256(content).hexdigest() + "\n")


@pytest.mark.parametrize(
    ("verb", "stamped", "installs"),
    [
        ("demo", (), "demo"),
        ("demo", ("demo",), None),
        ("demo", ("dev",), None),
        ("manage", ("demo",), None),
        ("test", ("demo",), "dev"),
        ("check", ("dev",), None),
    ],
)
def test_it_installs_what_the_verb_needs_and_is_not_there(checkout, verb, stamped, installs):
    for name in stamped:
        stamp(checkout, name)
    status, lines = ksc(checkout, verb, "x y")
    assert status == 0
    assert lines[-1] == f"python -m local {verb} x y"
    installed = [line.split()[-1] for line in lines if line.startswith("uv pip install")]
    assert installed == ([f"requirements-{installs}.txt"] if installs else [])
    assert (len(lines) == 1) == (installs is None)


def test_it_installs_again_when_the_requirements_changed(checkout):
    stamp(checkout, "demo")
    (checkout / "requirements-demo.txt").write_text("demo==2\n")
    assert "uv pip install" in "".join(ksc(checkout, "demo")[1])
    assert ksc(checkout, "demo")[1] == ["python -m local demo"]


def test_an_install_that_broke_off_leaves_no_stamp(checkout):
    stamp(checkout, "demo")
    (checkout / "requirements-demo.txt").write_text("demo==2\n")
    # Without a pip that works the folder counts as broken, which is not the case here.
    (checkout / ".venv/bin/python").write_text('#!/bin/sh\ncase "$*" in *--version*) exit 0;; esac\nexit 1\n')
    assert ksc(checkout, "demo")[0] != 0
    assert not list((checkout / ".venv").glob("*.stamp"))


@pytest.mark.parametrize("status", [0, 3])
def test_where_python_came_without_venv_its_package_is_asked_for_first(checkout, tmp_path, status):
    """Debian's own: it has both modules in a package of its own, which root gets installed and others get named."""
    (checkout / ".venv").rename(checkout / "made")
    debians = tmp_path / "debian" / "python3"
    debians.parent.mkdir()
    debians.write_text(f"""#!/bin/sh
case "$*" in
    *ensurepip*) exit 1 ;;
    "-m local.packages python") echo "asked for venv"; exit {status} ;;
    "-m venv .venv") echo "made .venv"; mv made .venv ;;
esac
""")
    debians.chmod(0o755)
    found, lines = ksc(checkout, "demo", path=f"{debians.parent}:/usr/bin:/bin")
    assert found == status
    steps = [line for line in lines if line in ("asked for venv", "made .venv", "python -m local demo")]
    assert steps == ["asked for venv", *(["made .venv", "python -m local demo"] if status == 0 else [])]


@pytest.mark.parametrize(("arguments", "status"), [((), 0), (("help",), 0), (("--help",), 0), (("cook",), 2)])
def test_help_needs_nothing(checkout, arguments, status):
    shutil.rmtree(checkout / ".venv")
    assert ksc(checkout, *arguments)[0] == status
    assert not (checkout / ".venv").exists()
