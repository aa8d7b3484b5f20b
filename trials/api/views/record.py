"""Queries, deviations, the audit trail and jobs: the record about the record."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from trials import permissions
from trials.api import serializers
from trials.api.base import Endpoint, asked, filtered, operation
from trials.models import Deviation, Job, Query, QueryMessage, ScopedModel
from trials.selectors import audit_trail, panel_veil, trail
from trials.services import deviations, jobs, panel_rights, queries, subjects

QUERIES = Query.objects.select_related("trial", "opened_by").prefetch_related(
    Prefetch("messages", QueryMessage.objects.select_related("author"))
)
DEVIATIONS = Deviation.objects.select_related("patient__trial", "recorded_by")


class Queries(Endpoint):
    @operation(
        "listQueries",
        tag="queries",
        answers=serializers.Query(many=True),
        filters=serializers.QueryFilter,
    )
    def get(self, request: Request) -> Response:
        """Questions about the record, newest first, each with its conversation."""
        wanted = filtered(request, serializers.QueryFilter)
        rows = permissions.listed(QUERIES, request.user, "query.view")
        return self.page(
            _narrowed(rows, wanted, trial="trial"),
            serializers.Query,
            prepared=lambda some: panel_veil.queries(some, request.user),
        )

    @operation(
        "openQuery",
        tag="queries",
        asks=serializers.Subject,
        answers=serializers.Query,
        status=201,
    )
    def post(self, request: Request) -> Response:
        """Ask the site about a row of the record."""
        about, text = _subject(request, "query.open")
        query = queries.open_query(about, text=text, by=request.user)
        return self.show(query, serializers.Query, status=201)


class OneQuery(Endpoint):
    @operation("getQuery", tag="queries", answers=serializers.Query)
    def get(self, request: Request, pk: int) -> Response:
        """One query with its conversation."""
        return self.show(_query(request, "query.view", pk), serializers.Query)


class AnswerQuery(Endpoint):
    @operation("answerQuery", tag="queries", asks=serializers.Turn, answers=serializers.Query)
    def post(self, request: Request, pk: int) -> Response:
        """Answer an open query."""
        query = _query(request, "query.answer", pk)
        text = asked(request, serializers.Turn)["text"]
        return self.show(queries.answer(query, text=text, by=request.user), serializers.Query)


class ReopenQuery(Endpoint):
    @operation("reopenQuery", tag="queries", asks=serializers.Turn, answers=serializers.Query)
    def post(self, request: Request, pk: int) -> Response:
        """Ask again: the answer does not settle it."""
        query = _query(request, "query.close", pk)
        text = asked(request, serializers.Turn)["text"]
        return self.show(queries.reopen(query, text=text, by=request.user), serializers.Query)


class CloseQuery(Endpoint):
    @operation("closeQuery", tag="queries", asks=serializers.Turn, answers=serializers.Query)
    def post(self, request: Request, pk: int) -> Response:
        """Close a query for good, saying why."""
        query = _query(request, "query.close", pk)
        text = asked(request, serializers.Turn)["text"]
        return self.show(queries.close(query, text=text, by=request.user), serializers.Query)


class Deviations(Endpoint):
    @operation(
        "listDeviations",
        tag="deviations",
        answers=serializers.Deviation(many=True),
        filters=serializers.DeviationFilter,
    )
    def get(self, request: Request) -> Response:
        """What did not go as the protocol says, newest first."""
        wanted = filtered(request, serializers.DeviationFilter)
        rows = permissions.listed(DEVIATIONS, request.user, "deviation.view")
        return self.page(
            _narrowed(rows, wanted, trial="patient__trial"),
            serializers.Deviation,
            prepared=lambda some: panel_veil.deviations(some, request.user),
        )

    @operation(
        "recordDeviation",
        tag="deviations",
        asks=serializers.Subject,
        answers=serializers.Deviation,
        status=201,
    )
    def post(self, request: Request) -> Response:
        """Record by hand that something did not go as the protocol says."""
        about, text = _subject(request, "deviation.record")
        row = deviations.record(about, text=text, by=request.user)
        return self.show(row, serializers.Deviation, status=201)


class OneDeviation(Endpoint):
    @operation("getDeviation", tag="deviations", answers=serializers.Deviation)
    def get(self, request: Request, pk: int) -> Response:
        """One deviation, with the values that were compared."""
        row = _deviation(request, "deviation.view", pk)
        return self.show(row, serializers.Deviation)


class AcknowledgeDeviation(Endpoint):
    @operation(
        "acknowledgeDeviation",
        tag="deviations",
        asks=serializers.Turn,
        answers=serializers.Deviation,
    )
    def post(self, request: Request, pk: int) -> Response:
        """The investigator has seen it."""
        row = _deviation(request, "deviation.acknowledge", pk)
        text = asked(request, serializers.Turn)["text"]
        moved = deviations.acknowledge(row, text=text, by=request.user)
        return self.show(moved, serializers.Deviation)


class CloseDeviation(Endpoint):
    @operation(
        "closeDeviation", tag="deviations", asks=serializers.Turn, answers=serializers.Deviation
    )
    def post(self, request: Request, pk: int) -> Response:
        """Close an acknowledged deviation, saying why."""
        row = _deviation(request, "deviation.close", pk)
        text = asked(request, serializers.Turn)["text"]
        return self.show(deviations.close(row, text=text, by=request.user), serializers.Deviation)


class AuditTrail(Endpoint):
    @operation(
        "listAuditEvents",
        tag="audit trail",
        answers=serializers.AuditEvent(many=True),
        filters=serializers.AuditFilter,
    )
    def get(self, request: Request) -> Response:
        """Who changed what, when and why, newest first; at one site, of its patients alone."""
        rows = audit_trail.events_seen_by(request.user)
        rows = trail.chosen(rows, filtered(request, serializers.AuditFilter))
        return self.page(
            rows,
            serializers.AuditEvent,
            prepared=lambda some: panel_veil.events(some, request.user),
        )


class Jobs(Endpoint):
    @operation(
        "listJobs",
        tag="jobs",
        answers=serializers.Job(many=True),
        filters=serializers.JobFilter,
    )
    def get(self, request: Request) -> Response:
        """Slow work, newest first: how far it is, how often it was tried, why it failed."""
        rows = permissions.listed(Job.objects, request.user, "jobs.view")
        wanted = filtered(request, serializers.JobFilter)
        return self.page(rows.filter(**wanted), serializers.Job)


class OrderJobAgain(Endpoint):
    @operation("orderJobAgain", tag="jobs", asks=serializers.Reason, answers=serializers.Job)
    def post(self, request: Request, pk: int) -> Response:
        """Let a parked job be tried again."""
        job = permissions.fetched(Job.objects, request.user, "jobs.order", pk=pk)
        ordered = jobs.order_again(job, by=request.user, **asked(request, serializers.Reason))
        return self.show(ordered, serializers.Job)


def _query(request: Request, permission: str, pk: int) -> Query:
    """A query for an act; one about a decision of the truth panel takes the panel's permission."""
    row = Query.objects.filter(pk=pk).first()
    taken = panel_rights.permission_about(permission, row) if row else permission
    return permissions.fetched(QUERIES, request.user, taken, pk=pk)


def _deviation(request: Request, permission: str, pk: int) -> Deviation:
    """A deviation for an act; one about a decision of the panel takes the panel's permission."""
    row = Deviation.objects.filter(pk=pk).first()
    taken = panel_rights.permission_about(permission, row) if row else permission
    return permissions.fetched(DEVIATIONS, request.user, taken, pk=pk)


def _narrowed(rows: QuerySet, wanted: dict, *, trial: str) -> QuerySet:
    if identifier := wanted.pop("trial", None):
        rows = rows.filter(**{f"{trial}__identifier": identifier})
    return rows.filter(**wanted)


def _subject(request: Request, permission: str) -> tuple[ScopedModel, str]:
    """The row a body is about, within the user's scope, and what is said of it."""
    permissions.require_somewhere(request.user, permission)
    given = asked(request, serializers.Subject)
    rows = subjects.rows_of(given["subject_table"])
    about = permissions.fetched(rows, request.user, permission, pk=given["subject_pk"])
    return about, given["text"]
