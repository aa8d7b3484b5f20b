"""The site from the command line: `python -m config.stack serve | run -- CMD | stop | status`."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.embedded.folders import held
from config.embedded.processes import ending_with, is_same
from config.embedded.supervisor import ROOT, START_SECONDS, Stack, StackError, running, site

STOP_SECONDS = 60
LOOK_SECONDS = 0.5
# How long a site made for one command waits for other commands that joined it.
JOINED_SECONDS = 3600
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Ended(Exception):  # noqa: N818  not an error
    """A signal asks for an orderly end."""

    def __init__(self, number: int) -> None:
        self.number = number


def main(words: list[str] | None = None) -> int:
    arguments = _parser().parse_args(words)
    folder = Path(os.environ.get("TRIALTRACE_VAR") or ROOT / "var")
    return arguments.act(folder, arguments)


def serve(folder: Path, arguments: argparse.Namespace) -> int:
    """Run the site in the foreground until it is told to stop."""
    begun = time.monotonic()
    stack = Stack(folder)
    if not stack.claim():
        state = running(folder, wait=START_SECONDS)
        if state is None:
            raise StackError(f"Another start holds {folder} and does not get ready.")
        print(f"The site is running already: {state['address']} (make stop ends it)")
        return 0
    try:
        with _orderly(stack):
            stack.start()
            print(f"ready after {time.monotonic() - begun:.1f} s: {stack.address}", flush=True)
            for command in arguments.then:
                stack.manage(*command.split())
            print(f"logs: {stack.logs}\nstop: Ctrl-C, or make stop", flush=True)
            while True:
                time.sleep(LOOK_SECONDS)
                stack.look()
    except Ended:
        return 0


def run(folder: Path, arguments: argparse.Namespace) -> int:
    """Run a command with the site beside it: the one that runs, or one for the time being."""
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        raise StackError("run needs a command: run -- python manage.py demo")
    try:
        while True:
            for way in (_run_on_own, _run_on_running):
                if (code := way(folder, command)) is not None:
                    return code
    except Ended as ended:
        return 128 + ended.number


def stop(folder: Path, _arguments: argparse.Namespace) -> int:
    """End the site below the folder, and nothing else."""
    state = site(folder)
    if state is None:
        print("No site is running.")
        return 0
    os.kill(state["pid"], signal.SIGTERM)
    end = time.monotonic() + STOP_SECONDS
    while is_same(state["pid"], state["started"]):
        if time.monotonic() > end:
            raise StackError(f"The site (process {state['pid']}) does not end.")
        time.sleep(0.05)
    print("stopped")
    return 0


def status(folder: Path, _arguments: argparse.Namespace) -> int:
    state = running(folder)
    print(f"running: {state['address']}" if state else "not running")
    return 0 if state else 3


def _run_on_own(folder: Path, command: list[str]) -> int | None:
    """The exit code, or None when there is a site below the folder."""
    begun = time.monotonic()
    stack = Stack(folder)
    if not stack.claim():
        return None
    with _orderly(stack):
        stack.start()
        print(f"site up in {time.monotonic() - begun:.1f} s: {stack.address}", flush=True)
        code = _call(command, stack.environment)
        # Commands that joined this site are working still; nobody joins one that is ending.
        last = held(_guests(folder), wait=JOINED_SECONDS)
    if last:
        last.close()
    return code


def _run_on_running(folder: Path, command: list[str]) -> int | None:
    """The exit code, or None when the site is gone meanwhile."""
    guest = held(_guests(folder), shared=True, wait=STOP_SECONDS)
    state = running(folder, wait=START_SECONDS if site(folder) else 0)
    if guest is None or state is None:
        return None
    print(f"using the site that runs: {state['address']}", flush=True)
    with _orderly(), guest:
        return _call(command, dict(os.environ) | state["environment"])


def _guests(folder: Path) -> Path:
    return folder / "run" / "guests"


def _call(command: list[str], environment: dict[str, str]) -> int:
    try:
        process = subprocess.Popen(  # noqa: S603  what the caller asked for
            command, env=environment, cwd=ROOT, preexec_fn=ending_with()
        )
    except OSError as error:
        raise StackError(f"{command[0]} can't be run: {error.strerror}") from None
    try:
        return process.wait()
    except Ended:
        process.terminate()
        process.wait()
        raise


@contextmanager
def _orderly(stack: Stack | None = None) -> Iterator[None]:
    """Turn signals into `Ended`, once; stop the site whatever happens."""
    for number in SIGNALS:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        if stack:
            stack.stop()


def _end(number: int, _frame: object) -> None:
    raise Ended(number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m config.stack", description=__doc__)
    acts = parser.add_subparsers(required=True)
    serving = acts.add_parser("serve", help="run the site in the foreground")
    serving.add_argument("--then", action="append", default=[], help="manage.py command when up")
    serving.set_defaults(act=serve)
    calling = acts.add_parser("run", help="run a command with the site beside it")
    calling.add_argument("command", nargs=argparse.REMAINDER)
    calling.set_defaults(act=run)
    acts.add_parser("stop", help="end the running site").set_defaults(act=stop)
    acts.add_parser("status", help="say whether it runs").set_defaults(act=status)
    return parser


if __name__ == "__main__":
    sys.exit(main())
