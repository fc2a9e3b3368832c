import signal
import subprocess
import sys

from local.folders import CHECKOUT
from local.sharing import Shared

HOLDER = """
import sys, time
from pathlib import Path
from local.sharing import Shared
with Shared(Path(sys.argv[1]), lambda: None, lambda: None):
    print("in", flush=True)
    time.sleep(60)
"""


def shared(folder, events):
    return Shared(folder, lambda: events.append("up"), lambda: events.append("down"))


def hold(folder):
    process = subprocess.Popen([sys.executable, "-c", HOLDER, folder], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "in\n"
    return process


def test_alone_it_clears_what_was_left_then_goes_up_and_down(tmp_path):
    events = []
    with shared(tmp_path, events):
        assert events == ["down", "up"]
    assert events == ["down", "up", "down"]


def test_nothing_goes_down_while_another_process_uses_it(tmp_path):
    events = []
    other = hold(tmp_path)
    try:
        with shared(tmp_path, events):
            pass
        assert events == ["up"]
    finally:
        other.terminate()
        other.communicate()


def test_a_killed_process_no_longer_counts(tmp_path):
    events = []
    other = hold(tmp_path)
    other.send_signal(signal.SIGKILL)
    other.communicate()
    with shared(tmp_path, events):
        pass
    assert events == ["down", "up", "down"]
