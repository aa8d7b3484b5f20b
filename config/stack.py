"""The site from the command line: `python -m config.stack serve | run -- CMD | stop | status`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from config.embedded.processes import ending_with, is_same
from config.embedded.supervisor import ROOT, Stack, StackError, running

STOP_SECONDS = 60


def main(words: list[str] | None = None) -> int:
    arguments = _parser().parse_args(words)
    folder = Path(os.environ.get("TRIALTRACE_VAR", ROOT / "var"))
    return arguments.act(folder, arguments)


def serve(folder: Path, arguments: argparse.Namespace) -> int:
    """Run the site in the foreground until it is told to stop."""
    if state := running(folder):
        print(f"The site is running already: {state['address']} (make stop ends it)")
        return 0
    begun = time.monotonic()
    stop = _stop_event()
    stack = Stack(folder)
    try:
        stack.start()
        print(f"ready after {time.monotonic() - begun:.1f} s: {stack.address}", flush=True)
        for command in arguments.then:
            stack.manage(*command.split())
        print(f"logs: {stack.logs}\nstop: Ctrl-C, or make stop", flush=True)
        stack.watch(stop)
    finally:
        stack.stop()
    return 0


def run(folder: Path, arguments: argparse.Namespace) -> int:
    """Run a command with the site beside it: the one that runs, or one for the time being."""
    if not arguments.command:
        raise StackError("run needs a command: run -- python manage.py demo")
    if state := running(folder):
        return _call(arguments.command, dict(os.environ) | state["environment"])
    stack = Stack(folder)
    _stop_event()
    try:
        begun = time.monotonic()
        stack.start()
        print(f"site up in {time.monotonic() - begun:.1f} s: {stack.address}", flush=True)
        return _call(arguments.command, stack.environment)
    finally:
        stack.stop()


def stop(folder: Path, arguments: argparse.Namespace) -> int:
    """End the site that runs below the folder, and nothing else."""
    state = running(folder)
    if state is None:
        print("No site is running.")
        return 0
    os.kill(state["pid"], signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while is_same(state["pid"], state["started"]):
        if time.monotonic() > end:
            raise StackError(f"The site (process {state['pid']}) does not end.")
        time.sleep(0.1)
    print("stopped")
    return 0


def status(folder: Path, arguments: argparse.Namespace) -> int:
    state = running(folder)
    print(f"running: {state['address']}" if state else "not running")
    return 0 if state else 3


def _call(command: list[str], environment: dict[str, str]) -> int:
    return subprocess.run(  # noqa: S603  what the caller asked for
        command, env=environment, cwd=ROOT, check=False, preexec_fn=ending_with()
    ).returncode


def _stop_event() -> threading.Event:
    """Set by the signals that ask for an end; a command under way is interrupted."""
    event = threading.Event()

    def end(number: int, frame: object) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end)
    return event


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.stack", description=__doc__)
    acts = parser.add_subparsers(required=True)
    serving = acts.add_parser("serve", help="run the site in the foreground")
    serving.add_argument("--then", action="append", default=[], help="manage.py command when up")
    serving.set_defaults(act=serve)
    running_ = acts.add_parser("run", help="run a command with the site beside it")
    running_.add_argument("command", nargs=argparse.REMAINDER)
    running_.set_defaults(act=lambda folder, a: run(folder, _without_dashes(a)))
    acts.add_parser("stop", help="end the running site").set_defaults(act=stop)
    acts.add_parser("status", help="say whether it runs").set_defaults(act=status)
    return parser


def _without_dashes(arguments: argparse.Namespace) -> argparse.Namespace:
    if arguments.command[:1] == ["--"]:
        arguments.command = arguments.command[1:]
    return arguments


if __name__ == "__main__":
    sys.exit(main())
