"""Children end with their parent, however the parent ends."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import is_running, wait_until_gone
from tools import ROOT
from tools.harness.ports import free_port, is_port_taken, wait_for_port
from tools.harness.processes import Children, ProcessError

# Tells its pid, ignores what it is told to, and lasts longer than any test.
SLEEPER = "import os, signal, time; {0}; print('pid', os.getpid(), flush=True); time.sleep(600)"
STUBBORN = SLEEPER.format("signal.signal(signal.SIGTERM, signal.SIG_IGN)")
MEEK = SLEEPER.format("0")

PARENT = """
import sys
from tools.harness.processes import Children, exit_on_signals
exit_on_signals()
with Children() as children:
    child = children.start("child", [sys.executable, "-c", {code!r}])
    print(child.wait_for_line("pid"), flush=True)
    {then}
"""


def start_parent(code: str = MEEK, then: str = "child.wait()") -> tuple[subprocess.Popen[str], int]:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT.format(code=code, then=then)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    return parent, int(parent.stdout.readline().split()[1])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_child_ends_when_its_parent_is_told_to_or_killed(number: signal.Signals) -> None:
    parent, child_pid = start_parent()
    assert is_running(child_pid)
    parent.send_signal(number)
    parent.communicate()
    wait_until_gone([child_pid])


def test_a_child_ends_when_its_parent_fails() -> None:
    parent, child_pid = start_parent(then="1 // 0")
    assert parent.wait() == 1
    wait_until_gone([child_pid])


def test_a_child_that_ignores_sigterm_is_killed_after_the_timeout() -> None:
    with Children() as children:
        child = children.start("stubborn", [sys.executable, "-c", STUBBORN])
        child.wait_for_line("pid")
        assert child.stop(timeout_s=0.1) == -signal.SIGKILL


def test_what_a_child_started_ends_with_it() -> None:
    grandparent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {MEEK!r}])"
    with Children() as children:
        child = children.start("grandparent", [sys.executable, "-c", grandparent])
        pid = int(child.wait_for_line("pid").split()[1])
        assert pid != child.pid
    wait_until_gone([pid])


def test_waiting_for_a_line_of_a_child_that_ended_tells_its_last_words() -> None:
    with Children() as children:
        child = children.start("brief", [sys.executable, "-c", "print('alas'); raise SystemExit(3)"])
        with pytest.raises(ProcessError, match=r"brief ended with code 3\n.*alas"):
            child.wait_for_line("never")


def test_a_line_is_waited_for_only_from_where_the_caller_says() -> None:
    echo = "import sys\nfor line in sys.stdin: print(line.strip(), flush=True)"
    with Children() as children:
        child = children.start("echo", [sys.executable, "-c", echo], stdin=True)
        child.send_json({"n": 1})
        assert child.wait_for_json(lambda value: "n" in value) == {"n": 1}
        mark = child.line_count
        child.send_json({"n": 2})
        assert child.wait_for_json(lambda value: "n" in value, after=mark) == {"n": 2}
        with pytest.raises(ProcessError, match="did not say"):
            child.wait_for_json(lambda value: value == {"n": 3}, timeout_s=0.05)


def test_a_program_that_is_not_there_is_a_process_error() -> None:
    with Children() as children, pytest.raises(ProcessError, match="could not be started"):
        children.start("nothing", ["/no/such/program"])


def test_output_goes_to_the_log_file(tmp_path) -> None:
    log = tmp_path / "a log.txt"
    with Children() as children:
        children.start("talker", [sys.executable, "-c", "print('one'); print('two')"], log=log).wait()
    assert log.read_text() == "one\ntwo\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_a_child_whose_log_is_on_a_full_disk_is_still_read() -> None:
    """The reading thread ended, the child waited for the full pipe, and nothing was logged for ever."""
    with Children() as children:
        talker = [sys.executable, "-c", "for number in range(20_000): print(number)"]
        child = children.start("talker", talker, log=Path("/dev/full"))
        child.wait_for_line("19999")


def test_a_free_port_is_never_one_that_an_outgoing_connection_could_be_given() -> None:
    """A server that restarted found its port taken: by a client's connection, under much load."""
    assert all(20_000 <= free_port() < 32_768 for _ in range(50))


def test_a_taken_port_is_seen_and_a_free_one_is_free() -> None:
    port = free_port()
    assert not is_port_taken(port)
    serve = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(600)"
    with Children() as children:
        child = children.start("server", [sys.executable, "-c", serve])
        wait_for_port(port, child, timeout_s=20)
        assert is_port_taken(port)
