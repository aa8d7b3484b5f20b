"""The Celery application. Messages are only wake-ups: the job table is the truth."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery
from celery.signals import task_postrun, worker_init, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")

app = Celery("trialtrace")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["trials", "imaging"])
app.conf.beat_schedule = {
    "sweep": {"task": "trials.tasks.sweep", "schedule": 10.0},
    "complete": {"task": "imaging.tasks.complete_quiet", "schedule": 10.0},
    "recompute": {"task": "imaging.tasks.recompute_due", "schedule": 10.0},
    "objects": {"task": "imaging.tasks.write_objects_due", "schedule": 60.0},
    "responses": {"task": "imaging.tasks.evaluate_responses_due", "schedule": 60.0},
    "reads": {"task": "imaging.tasks.count_reads_due", "schedule": 60.0},
    "destroy": {"task": "imaging.tasks.destroy_due", "schedule": 60.0},
    "left behind": {"task": "imaging.tasks.sweep_left_behind", "schedule": 3600.0},
    "alarms": {"task": "imaging.tasks.mail_alarms", "schedule": 600.0},
    "partial uploads": {"task": "imaging.tasks.sweep_partial_uploads", "schedule": 3600.0},
}


@worker_init.connect
def ask_for_the_archive(**_) -> None:
    from imaging.storage import ask_at_start

    ask_at_start()


@worker_init.connect
def load_handlers(**_) -> None:
    from trials.services import jobs

    jobs.load_handlers()


@worker_process_init.connect
def keep_memory(**_) -> None:
    from imaging import process_memory

    process_memory.keep()
    process_memory.settle()


# Above it a worker gives back what a job left: what every one loads is two thirds of it.
RESIDENT_BYTES = 350_000_000


@task_postrun.connect
def give_back_memory(**_) -> None:
    from imaging import kept_memory, process_memory

    if _resident_bytes() > RESIDENT_BYTES:
        # The memory of volumes is told to be free already, and stays for the next one until the
        # system wants it.
        process_memory.give_back(beyond=kept_memory.MOST_BYTES)


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")
