"""What a reader answers, beside the lesions, to the questions of the scales of response."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils import timezone

from imaging.models import Read, ResponseAnswers
from imaging.response import questions
from imaging.response.questions import Question
from imaging.services import response_orders
from trials import permissions
from trials.models import ScheduledScan, User
from trials.services import audit
from trials.services.errors import Invalid, Refused


def asked_of(scan: ScheduledScan) -> tuple[Question, ...]:
    """The questions that the rules of the protocol ask of a scan; none where no rule does."""
    name = scan.planned_scan.identifier
    rules = list(response_orders.rules_of(scan))
    return questions.asked(
        [one["criterion"] for one in rules if name in one["follow_ups"]],
        [one["criterion"] for one in rules if name == one["baseline"]],
    )


def of(read: Read) -> dict[str, str]:
    """What a read answers, by the code of the question."""
    row = ResponseAnswers.objects.filter(read=read).first()
    return row.answers if row else {}


def answered(read: Read) -> list[tuple[str, str]]:
    """The questions that are asked of a read with its answers in words, empty where it gives none.

    No query where no scale asks anything.
    """
    asked = asked_of(read.quantification.series.imaging_study.scheduled_scan)
    said = of(read) if asked else {}
    return [(one.text, dict(one.choices).get(said.get(one.code, ""), "")) for one in asked]


def carry(earlier: Read, read: Read) -> None:
    """Take over what was answered in an earlier draft, where it is asked still. In an action."""
    row = ResponseAnswers.objects.filter(read=earlier).first()
    if row is None:
        return
    scan = read.quantification.series.imaging_study.scheduled_scan
    asked = {one.code for one in asked_of(scan)}
    answers = {code: answer for code, answer in row.answers.items() if code in asked}
    ResponseAnswers.objects.create(read=read, answers=answers, answered_at=row.answered_at)


def say(read: Read, answers: Mapping[str, str], *, by: User) -> ResponseAnswers:
    """Answer anew in the own draft; a question that is left out stays unanswered."""
    permissions.require(by, "read.edit", read)
    if read.reader_id != by.pk:
        raise Refused("not-your-read", "A read is changed and signed by its own reader alone.")
    scan = read.quantification.series.imaging_study.scheduled_scan
    asked = {one.code: one for one in asked_of(scan)}
    found = {code: answer for code, answer in answers.items() if answer}
    for code, answer in found.items():
        if code not in asked:
            raise Invalid(code, f"No scale of this trial asks {code!r} of this scan.")
        if answer not in dict(asked[code].choices):
            known = ", ".join(one for one, _ in asked[code].choices)
            raise Invalid(code, f"Choose one of: {known}.")
    with audit.action(
        "response.answered",
        actor=by,
        reason="reading",
        trial=scan.patient.trial_id,
        patient=scan.patient_id,
    ):
        held = Read.objects.select_for_update(of=("self",)).get(pk=read.pk)
        if held.state != Read.State.DRAFT:
            raise Refused(
                "read-signed", "This read is not a draft. To change it, read the series again."
            )
        row, _ = ResponseAnswers.objects.update_or_create(
            read=held, defaults={"answers": found, "answered_at": timezone.now()}
        )
    return row
