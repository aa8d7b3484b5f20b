#!/usr/bin/env python
"""Django's command line."""

import os
import sys

# These run on any machine, with nothing set up and nothing running.
ALONE = {"quantify", "deidentification_table"}


def main() -> None:
    alone = ALONE & set(sys.argv[1:2])
    os.environ.setdefault(
        "DJANGO_SETTINGS_MODULE", "config.settings.alone" if alone else "config.settings.dev"
    )
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        raise SystemExit(
            "Django is not installed here: run make setup, then .venv/bin/python manage.py"
        ) from None
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        # 128 and the number of the signal, as a shell has it; a traceback tells nobody more.
        sys.exit(130)
