"""Response over the API: what stands of patients, and a reader's own answers."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from imaging import models
from imaging.api.reads import own_read
from imaging.response.questions import QUESTIONS
from imaging.selectors import responses
from imaging.services import response_answers
from trials.api.base import Endpoint, asked, filtered, operation

SCAN = f"later_read__{responses.SCAN}"


class ResponseNumber(serializers.Serializer):
    name = serializers.CharField()
    value = serializers.FloatField()
    unit = serializers.CharField()


class ResponseEvaluation(serializers.ModelSerializer):
    """What a scale says of a later scan, from one reader's signed reads."""

    patient = serializers.CharField(source=f"{SCAN.replace('__', '.')}.patient.identifier")
    scan = serializers.IntegerField(source=f"{SCAN.replace('__', '.')}.pk")
    scale = serializers.CharField(source="get_criterion_display")
    reader = serializers.StringRelatedField()
    is_accepted = serializers.BooleanField(
        help_text="Whether the read of the later scan is the one that counts."
    )
    why_counted = serializers.CharField(
        help_text="Which read of the later scan counts, or why none does: one that is not accepted "
        "is no result of the trial.",
        allow_null=True,
    )
    numbers = ResponseNumber(many=True)
    flags = serializers.ListField(child=serializers.CharField())
    inputs = serializers.JSONField(help_text="All that the scale looked at, as it was frozen.")

    class Meta:
        model = models.ResponseEvaluation
        fields = [
            "id",
            "patient",
            "scan",
            "rule",
            "criterion",
            "scale",
            "reader",
            "is_accepted",
            "why_counted",
            "category",
            "best",
            "why",
            "numbers",
            "flags",
            "source",
            "inputs",
            "inputs_sha256",
            "software_version",
            "evaluated_at",
            "is_current",
            "supersedes",
            "ended_at",
            "ended_because",
        ]


class ResponseFilter(serializers.Serializer):
    trial = serializers.CharField(max_length=40, required=False)
    patient = serializers.CharField(max_length=40, required=False)
    all = serializers.BooleanField(
        default=False, help_text="With those that were superseded or ended."
    )


class Responses(Endpoint):
    @operation(
        "listResponses",
        tag="images",
        answers=ResponseEvaluation(many=True),
        filters=ResponseFilter,
    )
    def get(self, request: Request) -> Response:
        """Responses that stand, each with the sentence why and the numbers it rests on."""
        given = filtered(request, ResponseFilter)
        rows = responses.evaluations(request.user).select_related("reader", f"{SCAN}__patient")
        if not given["all"]:
            rows = rows.filter(is_current=True)
        for name, path in (
            ("trial", "patient__trial__identifier"),
            ("patient", "patient__identifier"),
        ):
            if name in given:
                rows = rows.filter(**{f"{SCAN}__{path}": given[name]})
        return self.page(rows.order_by("pk"), ResponseEvaluation)


class Question(serializers.Serializer):
    """What a scale asks of a read, with the answers there are."""

    code = serializers.CharField()
    text = serializers.CharField()
    choices = serializers.SerializerMethodField()
    answer = serializers.CharField(allow_blank=True)

    @extend_schema_field(serializers.DictField(child=serializers.CharField()))
    def get_choices(self, one: dict) -> dict[str, str]:
        return dict(one["choices"])


class Answers(serializers.Serializer):
    answers = serializers.DictField(
        child=serializers.CharField(max_length=10, allow_blank=True),
        help_text=f"By the code of the question: {', '.join(QUESTIONS)}. One left out stays open.",
    )


class ReadAnswers(Endpoint):
    @operation("listResponseQuestions", tag="reading", answers=Question(many=True))
    def get(self, request: Request, reading_identifier: str) -> Response:
        """What the scales of the trial ask of one's own read, and what it answers."""
        return _questions(own_read(request, reading_identifier, "reading.view"))

    @operation("answerResponseQuestions", tag="reading", asks=Answers, answers=Question(many=True))
    def post(self, request: Request, reading_identifier: str) -> Response:
        """Answer them anew in the own draft."""
        read = own_read(request, reading_identifier, "read.edit")
        response_answers.say(read, asked(request, Answers)["answers"], by=request.user)
        return _questions(read)


def _questions(read: models.Read) -> Response:
    said = response_answers.of(read)
    rows = [
        {
            "code": one.code,
            "text": one.text,
            "choices": one.choices,
            "answer": said.get(one.code, ""),
        }
        for one in response_answers.asked_of(
            read.quantification.series.imaging_study.scheduled_scan
        )
    ]
    return Response(Question(rows, many=True).data)
