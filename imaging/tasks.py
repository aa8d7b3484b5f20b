"""Which service does which imaging job, and what is looked for by the clock."""

from __future__ import annotations

from celery import shared_task

from trials.services.jobs import handled_by

handled_by("imaging.inspect", "imaging.services.inspection.inspect")
handled_by("imaging.release", "imaging.services.release.release")
handled_by("imaging.clear", "imaging.services.clearing.clear")
handled_by("imaging.assemble", "imaging.services.assembly.build")
handled_by("imaging.quantify", "imaging.services.quantification.run")
handled_by("imaging.write_objects", "imaging.services.object_writing.write")
handled_by("imaging.write_read_objects", "imaging.services.read_objects.write")
handled_by("imaging.evaluate_response", "imaging.services.responses.evaluate")
handled_by("imaging.expunge", "imaging.services.destruction.expunge")
handled_by("imaging.destroy", "imaging.services.destruction.destroy")


@shared_task(ignore_result=True, expires=5)
def look_ahead(transmittal: int) -> None:
    from imaging.services import looking_ahead

    looking_ahead.look(transmittal)


@shared_task(ignore_result=True, expires=30)
def recompute_due() -> None:
    from imaging.services import recompute

    recompute.order_due()


@shared_task(ignore_result=True, expires=60)
def write_objects_due() -> None:
    from imaging.services import objects

    objects.order_due()


@shared_task(ignore_result=True, expires=60)
def evaluate_responses_due() -> None:
    from imaging.services import response_orders

    response_orders.order_due()


@shared_task(ignore_result=True, expires=60)
def count_reads_due() -> None:
    from imaging.services import read_counting

    read_counting.settle_due()


@shared_task(ignore_result=True, expires=60)
def destroy_due() -> None:
    from imaging.services import destruction

    destruction.order_due()


@shared_task(ignore_result=True, expires=10)
def complete_quiet() -> None:
    from imaging.services import receiving

    receiving.complete_quiet()


@shared_task(ignore_result=True, expires=3600)
def sweep_partial_uploads() -> None:
    from imaging.services import partial_uploads

    partial_uploads.sweep()


@shared_task(ignore_result=True, expires=3600)
def sweep_left_behind() -> None:
    from imaging.services import clearing
    from imaging.storage import spool

    spool.sweep()
    clearing.sweep_prepared()


@shared_task(ignore_result=True, expires=600)
def mail_alarms() -> None:
    from imaging.services import alarms

    alarms.send_due()
