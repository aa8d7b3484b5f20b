"""Lesions on CT of a reader's own read over the API."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from imaging import models, reading_terms
from imaging.api.reads import own_read
from imaging.response.recist_lesions import RecistLesion
from imaging.selectors import recist
from imaging.services import recist_lesions
from trials.api.base import Endpoint, asked, operation


class LesionOnCt(serializers.Serializer):
    """One lesion: T1 to T5 are targets, N1 to N10 non-targets, X1 to X5 new."""

    name = serializers.CharField(max_length=3)
    region = serializers.ChoiceField(choices=reading_terms.REGIONS)
    state = serializers.ChoiceField(choices=list(models.recist.STATES.items()))
    diameter_mm = serializers.FloatField(
        required=False,
        allow_null=True,
        default=None,
        help_text="Longest diameter in mm, of a lymph node the short axis; of a measured target.",
    )


class LesionsOnCt(serializers.Serializer):
    lesions = LesionOnCt(many=True, help_text="The whole list; it takes the place of the last.")


class ReadRecist(Endpoint):
    @operation("listRecistLesions", tag="reading", answers=LesionOnCt(many=True))
    def get(self, request: Request, reading_identifier: str) -> Response:
        """Lesions on CT that one's own read records for RECIST."""
        return _lesions(own_read(request, reading_identifier, "reading.view"))

    @operation(
        "recordRecistLesions", tag="reading", asks=LesionsOnCt, answers=LesionOnCt(many=True)
    )
    def post(self, request: Request, reading_identifier: str) -> Response:
        """Record the whole list in the own draft."""
        read = own_read(request, reading_identifier, "read.edit")
        given = asked(request, LesionsOnCt)["lesions"]
        recist_lesions.record(read, [RecistLesion(**one) for one in given], by=request.user)
        return _lesions(read)


def _lesions(read: models.Read) -> Response:
    return Response(LesionOnCt(recist.of(read), many=True).data)
