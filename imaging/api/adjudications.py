"""Readers who differ over the API: for who settles it, and how far readers agree in a trial."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from imaging import models, selectors
from imaging.api.reads import ReadRegion
from imaging.selectors import adjudications as selecting
from imaging.selectors import agreement
from imaging.selectors import reads as read_selectors
from imaging.services import adjudications
from trials import models as trial_models
from trials import permissions
from trials.api.base import Endpoint, asked, filtered, operation
from trials.api.conduct import Password
from trials.api.fields import Line


class AdjudicationTask(serializers.Serializer):
    """A series whose readers differ, which the user may settle."""

    reading_identifier = serializers.CharField(source="series.reading_identifier")
    kind = serializers.CharField()
    state = serializers.CharField(source="adjudication.state", default="not_begun")
    is_anothers = serializers.BooleanField(
        help_text="Another reader has begun it: it can be taken over."
    )


class TakeOver(serializers.Serializer):
    reason = Line(max_length=400, help_text="Why who began it can't end it, naming nobody.")


class AdjudicatedRead(serializers.Serializer):
    """One of the reads, by a letter that follows neither person nor time."""

    letter = serializers.CharField()
    regions = serializers.SerializerMethodField()

    @extend_schema_field(ReadRegion(many=True))
    def get_regions(self, side: selecting.Side) -> list:
        return ReadRegion(read_selectors.rows_of(side.read), many=True).data


class ReadDifference(serializers.Serializer):
    question = serializers.CharField()
    first = serializers.CharField()
    second = serializers.CharField()
    is_comparable = serializers.BooleanField(help_text="Whether both of them stated it.")


class DifferingReads(serializers.Serializer):
    """What two of the reads differ in, as far as the protocol asks it."""

    first = serializers.CharField()
    second = serializers.CharField()
    differences = ReadDifference(many=True)


class Adjudication(serializers.ModelSerializer):
    """The reads of a series beside each other, and what settles their difference."""

    reads = serializers.SerializerMethodField()
    differing = serializers.SerializerMethodField()
    chosen = serializers.SerializerMethodField(
        help_text="The letter of the read that holds, anew for the adjudicator's own, or nothing."
    )

    class Meta:
        model = models.Adjudication
        fields = ["id", "kind", "state", "reads", "differing", "chosen", "reason"]

    @extend_schema_field(AdjudicatedRead(many=True))
    def get_reads(self, row: models.Adjudication) -> list:
        return AdjudicatedRead(selecting.sides(row), many=True).data

    @extend_schema_field(DifferingReads(many=True))
    def get_differing(self, row: models.Adjudication) -> list:
        return DifferingReads(selecting.differing(row), many=True).data

    def get_chosen(self, row: models.Adjudication) -> str:
        return selecting.chosen(row)


class SettleReads(Password):
    choice = serializers.CharField(max_length=4, help_text="A letter, or anew for one's own read.")
    reason = Line(max_length=400)


class AdjudicationTasks(Endpoint):
    @operation("listAdjudications", tag="reading", answers=AdjudicationTask(many=True))
    def get(self, request: Request) -> Response:
        """Series that wait for the user to settle what their readers differ in."""
        rows = permissions.listed(models.Series.objects, request.user, "adjudication.sign")
        tasks = selecting.tasks(selectors.to_read(rows), request.user)
        return Response(AdjudicationTask(tasks, many=True).data)


class OneAdjudication(Endpoint):
    @operation("getAdjudication", tag="reading", answers=Adjudication)
    def get(self, request: Request, reading_identifier: str) -> Response:
        """The reads beside each other, once the adjudication is begun."""
        return self.show(
            selecting.begun(_series(request, reading_identifier), request.user), Adjudication
        )

    @operation("beginAdjudication", tag="reading", answers=Adjudication, status=201)
    def post(self, request: Request, reading_identifier: str) -> Response:
        """Say that one looks at the reads; after that one can't read the series apart."""
        row = adjudications.begin(_series(request, reading_identifier), by=request.user)
        return self.show(row, Adjudication, status=201)


class TakeOverAdjudication(Endpoint):
    @operation(
        "takeOverAdjudication", tag="reading", asks=TakeOver, answers=Adjudication, status=201
    )
    def post(self, request: Request, reading_identifier: str) -> Response:
        """Settle what another third reader began and has not signed; that one is void."""
        series = _series(request, reading_identifier)
        row = adjudications.take_over(series, by=request.user, **asked(request, TakeOver))
        return self.show(row, Adjudication, status=201)


class SignAdjudication(Endpoint):
    @operation("signAdjudication", tag="reading", asks=SettleReads, answers=Adjudication)
    def post(self, request: Request, reading_identifier: str) -> Response:
        """Choose the read that holds, say why, and sign."""
        row = selecting.begun(_series(request, reading_identifier), request.user)
        adjudications.sign(row, by=request.user, **asked(request, SettleReads))
        row.refresh_from_db()
        return self.show(row, Adjudication)


class AgreementFilter(serializers.Serializer):
    trial = serializers.CharField(max_length=40, required=False)
    all = serializers.BooleanField(default=False, help_text="With answers of reads that ended.")


class AgreementCounts(serializers.Serializer):
    """How often two readers of a scan answered a question alike, of the answers that stand."""

    trial = serializers.CharField()
    question = serializers.CharField()
    asked = serializers.IntegerField()
    alike = serializers.IntegerField()
    differing = serializers.IntegerField()
    not_comparable = serializers.IntegerField()
    is_asked = serializers.BooleanField(help_text="Whether the protocol makes it a discordance.")


class ReaderAnswers(serializers.ModelSerializer):
    """One question that two readers of a scan answered."""

    patient = serializers.CharField(source=f"{agreement.FIRST_PATIENT}.identifier")
    scan = serializers.IntegerField(source=f"{agreement.FIRST_SCAN}.pk")
    first_reader = serializers.StringRelatedField(source="first.reader")
    second_reader = serializers.StringRelatedField(source="second.reader")

    class Meta:
        model = models.ReaderAgreement
        fields = [
            "id",
            "patient",
            "scan",
            "first",
            "first_reader",
            "second",
            "second_reader",
            "question",
            "subject",
            "first_answer",
            "second_answer",
            "is_comparable",
            "is_discordant",
            "is_asked",
            "compared_at",
            "ended_at",
        ]


class Agreement(Endpoint):
    @operation(
        "listReaderAnswers",
        tag="images",
        answers=ReaderAnswers(many=True),
        filters=AgreementFilter,
    )
    def get(self, request: Request) -> Response:
        """What two readers of a scan each answered, one row a question."""
        given = filtered(request, AgreementFilter)
        rows = agreement.answers(request.user, trial=given.get("trial"))
        if not given["all"]:
            rows = rows.filter(ended_at=None)
        return self.page(rows.order_by("pk"), ReaderAnswers)


class CountsOfAgreement(Endpoint):
    @operation(
        "countReaderAgreement",
        tag="images",
        answers=AgreementCounts(many=True),
        filters=AgreementFilter,
    )
    def get(self, request: Request) -> Response:
        """How often readers answered alike, per trial and question."""
        given = filtered(request, AgreementFilter)
        rows = agreement.answers(request.user, trial=given.get("trial"))
        return Response(AgreementCounts(agreement.counts(rows), many=True).data)


class CountedRead(serializers.ModelSerializer):
    """Which read counts for a scan, or why none does."""

    patient = serializers.CharField(source="patient.identifier")
    scan = serializers.IntegerField(source="scheduled_scan_id")
    read = serializers.IntegerField(source="source_pk", allow_null=True)

    class Meta:
        model = trial_models.CountedRead
        fields = ["id", "patient", "scan", "basis", "read", "why", "since", "ended_at"]


class CountedReads(Endpoint):
    @operation(
        "listCountedReads",
        tag="images",
        answers=CountedRead(many=True),
        filters=AgreementFilter,
    )
    def get(self, request: Request) -> Response:
        """The read that counts for each scan that was read, or why none does."""
        given = filtered(request, AgreementFilter)
        rows = permissions.listed(
            trial_models.CountedRead.objects, request.user, "agreement.view"
        ).select_related("patient")
        if "trial" in given:
            rows = rows.filter(patient__trial__identifier=given["trial"])
        if not given["all"]:
            rows = rows.filter(ended_at=None)
        return self.page(rows.order_by("pk"), CountedRead)


def _series(request: Request, reading_identifier: str) -> models.Series:
    return permissions.fetched(
        selecting.SERIES, request.user, "adjudication.sign", reading_identifier=reading_identifier
    )
