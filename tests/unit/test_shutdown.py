"""How a process is asked to end."""

import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from workers.shutdown import Stop, stop_at_end_of, stop_on_signals

NEVER_SECONDS = 1e6
"""The watcher would end the process that it runs in, which here is the tests'."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_requests_the_stop(number: signal.Signals) -> None:
    with stop_on_signals() as stop:
        assert not stop.requested
        os.kill(os.getpid(), number)
        assert stop.wait(5)
        assert stop.requested


def test_the_handlers_from_before_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_signals():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_second_signal_ends_the_process_at_once() -> None:
    stuck = """
        import os, signal, time
        from workers.shutdown import stop_on_signals
        with stop_on_signals() as stop:
            os.kill(os.getpid(), signal.SIGTERM)
            stop.wait(5)
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(stuck)], timeout=60, check=False)
    assert ended.returncode == 128 + signal.SIGTERM


def test_waiting_ends_without_a_request() -> None:
    assert not Stop().wait(0.01)


def test_any_thread_may_request() -> None:
    stop = Stop()
    threading.Timer(0.01, stop.request).start()
    assert stop.wait(5)


def test_the_end_of_the_owners_pipe_requests_the_stop() -> None:
    orphan = """
        import sys
        from workers.shutdown import Stop, stop_at_end_of
        stop = Stop()
        stop_at_end_of(sys.stdin.buffer, stop)
        sys.exit(0 if stop.wait(30) else 1)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(orphan)], stdin=subprocess.PIPE) as child:
        assert child.poll() is None
        assert child.stdin is not None
        child.stdin.close()
        assert child.wait(60) == 0


def test_a_process_ends_in_order_while_its_owners_pipe_is_open() -> None:
    worker = """
        import sys, time
        from workers.shutdown import Stop, stop_at_end_of
        stop_at_end_of(sys.stdin.buffer, Stop())
        time.sleep(0.2)
    """
    command = [sys.executable, "-c", textwrap.dedent(worker)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.wait(60) == 0
        assert child.stderr is not None
        assert child.stderr.read() == b""


def test_an_open_pipe_requests_nothing() -> None:
    read, write = os.pipe()
    stop = Stop()
    with os.fdopen(write, "wb"):
        stop_at_end_of(os.fdopen(read, "rb"), stop, NEVER_SECONDS)
        assert not stop.wait(0.05)
