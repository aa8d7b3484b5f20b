"""Imports each module of the services and selectors as the first of all, and names those that fail.

Modules that know each other may be imported in one order and not in another; which one is first
depends on who asks. Each is imported by a fork of a process that has the models alone.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import sys
import traceback

import django

PACKAGES = [f"{app}.{part}" for app in ("trials", "imaging", "reporting") for part in
            ("services", "selectors")]  # fmt: skip


def is_imported(name: str) -> bool:
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] == 0
    try:
        importlib.import_module(name)
    except BaseException:
        traceback.print_exc(limit=-1)
        os._exit(1)
    os._exit(0)


def main() -> int:
    django.setup()
    found = [
        module.name
        for package in map(importlib.import_module, PACKAGES)
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    ]
    broken = [name for name in found if not is_imported(name)]
    print(f"{len(found)} modules; not by themselves: {', '.join(broken) or 'none'}")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
