"""Queries: open, answered, closed. The site answers, whoever asked closes."""

from __future__ import annotations

from django.db.models import QuerySet

from trials import permissions
from trials.models import Query, QueryMessage, ScopedModel, User
from trials.services import audit, jobs, panel_rights, patients, subjects
from trials.services.errors import Invalid, Refused

State = Query.State


def open_query(about: ScopedModel, *, text: str, by: User) -> Query:
    """Ask the site about a record."""
    permissions.require(by, "query.open", about)
    _require_text(text)
    patient = subjects.patient_of(about)
    with audit.action(
        "query.opened",
        actor=by,
        reason="question to the site",
        trial=patient.trial_id,
        patient=patient.pk,
    ):
        return _create(about, text=text, by=by, rule="")


def raise_by_rule(about: ScopedModel, *, rule: str, text: str) -> Query:
    """A rule asks, once, however often it fails. Inside the action that found it.

    With other numbers it asks anew, whatever was answered to the old ones; a question that a
    person closed is not asked again in the same words.
    """
    rows = Query.objects.filter(rule=rule, **subjects.reference(about)).order_by("pk")
    newest = rows.select_for_update(of=("self",)).last()
    if newest is None or (newest.state == State.CLOSED and not _is_closed_for(newest, text)):
        return _create(about, text=text, by=jobs.system_user(), rule=rule)
    if newest.text != text:
        newest.text, newest.state = text, State.OPEN
        newest.save(update_fields=["text", "state"])
        QueryMessage.objects.create(
            query=newest, state=State.OPEN, text=text, author=jobs.system_user()
        )
    return newest


def _is_closed_for(query: Query, text: str) -> bool:
    """Whether a person, not the rule itself, closed the question that would be asked."""
    closed_by = query.messages.select_related("author").last().author
    return query.text == text and not closed_by.is_system


def rules_asking(about: ScopedModel) -> frozenset[str]:
    """The rules whose question about a row is not closed."""
    rows = Query.objects.filter(**subjects.reference(about)).exclude(rule="")
    return frozenset(rows.exclude(state=State.CLOSED).values_list("rule", flat=True))


def settle_by_rule(about: ScopedModel, *, rule: str, text: str) -> None:
    """A rule that asked is satisfied: its question closes. Inside the action that did it."""
    _settle(Query.objects.filter(rule=rule, **subjects.reference(about)), text)


def settle_others(about: ScopedModel, *, rule: str, text: str) -> None:
    """Whatever rules asked about a row is past, save for one. Inside the action that did it."""
    rows = Query.objects.filter(**subjects.reference(about)).exclude(rule="").exclude(rule=rule)
    _settle(rows, text)


def _settle(asked: QuerySet[Query], text: str) -> None:
    for query in asked.exclude(state=State.CLOSED).select_for_update():
        query.state = State.CLOSED
        query.save(update_fields=["state"])
        QueryMessage.objects.create(
            query=query, state=State.CLOSED, text=text, author=jobs.system_user()
        )


def answer(query: Query, *, text: str, by: User) -> Query:
    panel_rights.require_about(by, "query.answer", query)
    return _move(query, State.ANSWERED, text=text, by=by, allowed={State.OPEN})


def reopen(query: Query, *, text: str, by: User) -> Query:
    panel_rights.require_about(by, "query.close", query)
    return _move(query, State.OPEN, text=text, by=by, allowed={State.ANSWERED})


def close(query: Query, *, text: str, by: User) -> Query:
    panel_rights.require_about(by, "query.close", query)
    return _move(query, State.CLOSED, text=text, by=by, allowed={State.ANSWERED, State.OPEN})


def _create(about: ScopedModel, *, text: str, by: User, rule: str) -> Query:
    patient = subjects.patient_of(about)
    query = Query.objects.create(
        trial_id=patient.trial_id,
        site_id=patient.site_id,
        patient=patient,
        rule=rule,
        text=text,
        opened_by=by,
        **subjects.reference(about),
    )
    QueryMessage.objects.create(query=query, state=State.OPEN, text=text, author=by)
    return query


def _move(query: Query, state: Query.State, *, text: str, by: User, allowed: set) -> Query:
    _require_text(text)
    with audit.action(
        f"query.{state}",
        actor=by,
        reason=text,
        trial=query.trial_id,
        patient=query.patient_id,
    ):
        # An assessment under way has read the query as it was: what changes it is after that.
        patients.hold_still(query.patient)
        locked = Query.objects.select_for_update().get(pk=query.pk)
        if locked.state not in allowed:
            raise Refused("wrong-state", f"This query is {locked.state}: it can't become {state}.")
        locked.state = state
        locked.save(update_fields=["state"])
        QueryMessage.objects.create(query=locked, state=state, text=text, author=by)
    return locked


def _require_text(text: str) -> None:
    if not text.strip():
        raise Invalid("text", "Write what is asked or answered.")
