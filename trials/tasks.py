"""Celery's side of jobs: take a primary key, run; every ten seconds, look for lost ones."""

from __future__ import annotations

from celery import shared_task

from trials.services import jobs
from trials.services.jobs import handled_by

handled_by("trials.form_import", "trials.services.form_imports.run")


@shared_task(ignore_result=True)
def run_job(pk: int) -> None:
    jobs.run(pk)


@shared_task(ignore_result=True, expires=10)
def sweep() -> None:
    for pk in jobs.sweep():
        run_job.delay(pk)
