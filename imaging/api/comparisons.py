"""Comparisons of lesions over the API: for their reader, and the paired table of them."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from imaging import models, reading_terms
from imaging.isometries import Isometry, IsometryError
from imaging.matching import RecordedShift
from imaging.selectors import comparisons as selecting
from imaging.selectors import pairings
from imaging.services import comparisons
from trials import permissions
from trials.api.base import Endpoint, asked, filtered, operation
from trials.api.conduct import Password
from trials.api.fields import Key, Line
from trials.services.errors import Invalid

Rows = serializers.ModelSerializer
UNMOVED = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class Pair(Rows):
    """One place of disease: lesions by their numbers in the two reads."""

    first = serializers.IntegerField(source="first.number", default=None, allow_null=True)
    second = serializers.IntegerField(source="second.number", default=None, allow_null=True)

    class Meta:
        model = models.LesionPair
        fields = [
            "number",
            "first",
            "second",
            "first_parts",
            "second_parts",
            "outcome",
            "matched_by",
            "shared_ml",
            "dice",
            "distance_mm",
            "region",
            "regions_differ",
            "status",
            "decided_at",
        ]


class Comparison(Rows):
    """Two signed reads of one patient compared by their reader."""

    first_reading = serializers.CharField(source="first.quantification.series.reading_identifier")
    second_reading = serializers.CharField(source="second.quantification.series.reading_identifier")
    pairs = serializers.SerializerMethodField()
    obstacles = serializers.SerializerMethodField(
        help_text="What stands in the way of a signature."
    )

    class Meta:
        model = models.LesionComparison
        fields = [
            "id",
            "kind",
            "first",
            "second",
            "first_reading",
            "second_reading",
            "shift",
            "shift_how",
            "parameters",
            "software_version",
            "state",
            "proposed_at",
            "signed_at",
            "pairs",
            "obstacles",
        ]

    @extend_schema_field(Pair(many=True))
    def get_pairs(self, row: models.LesionComparison) -> list:
        return Pair(selecting.pairs_of(row), many=True).data

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_obstacles(self, row: models.LesionComparison) -> list[str]:
        return comparisons.obstacles(row)


class Comparable(serializers.Serializer):
    """Two signed reads that can be compared, and the newest comparison of them."""

    first = serializers.IntegerField()
    second = serializers.IntegerField()
    first_reading = serializers.CharField()
    second_reading = serializers.CharField()
    comparison = serializers.IntegerField(allow_null=True)
    state = serializers.CharField(allow_null=True)


class Vector(serializers.ListField):
    """Three numbers: along x, y and z."""

    child = serializers.FloatField()

    def __init__(self, **options) -> None:
        super().__init__(**{"min_length": 3, "max_length": 3} | options)


class Shift(serializers.Serializer):
    """The rigid motion y = R x + t from the second read's scan to the first's, in mm (LPS)."""

    offset_mm = Vector()
    matrix = serializers.ListField(child=Vector(), min_length=3, max_length=3, required=False)
    how = Line(max_length=200, help_text="What was laid on what, and with which program.")


class Propose(serializers.Serializer):
    """Two signed reads; a shift where they are in two frames of reference."""

    first = Key()
    second = Key()
    shift = Shift(required=False)
    reason = Line(max_length=200, required=False, help_text="Why they are compared again.")


class Pairs(serializers.Serializer):
    pairs = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=10**8), min_length=1, max_length=1000
    )


class Region(serializers.Serializer):
    region = serializers.ChoiceField(choices=reading_terms.REGIONS)


class Comparisons(Endpoint):
    @operation("listComparisons", tag="reading", answers=Comparable(many=True))
    def get(self, request: Request) -> Response:
        """The own signed reads, two and two of one patient; nothing says of whom, or when."""
        permissions.require_somewhere(request.user, "comparison.edit")
        return Response([_comparable(row) for row in selecting.comparable(request.user)])

    @operation("proposeComparison", tag="reading", asks=Propose, answers=Comparison, status=201)
    def post(self, request: Request) -> Response:
        """Propose which lesion of one read is which of the other; a draft is answered as it is."""
        permissions.require_somewhere(request.user, "comparison.edit")
        given = asked(request, Propose)
        first, second = (
            permissions.fetched(READS, request.user, "comparison.edit", pk=given[side])
            for side in ("first", "second")
        )
        made = comparisons.propose(
            first,
            second,
            by=request.user,
            shift=_shift(given.get("shift")),
            reason=given.get("reason", ""),
        )
        return self.show(made, Comparison, status=201)


class OneComparison(Endpoint):
    @operation("getComparison", tag="reading", answers=Comparison)
    def get(self, request: Request, pk: int) -> Response:
        """An own comparison with its pairs."""
        return self.show(own(request, pk), Comparison)


class ConfirmPairs(Endpoint):
    @operation("confirmPairs", tag="reading", asks=Pairs, answers=Comparison)
    def post(self, request: Request, pk: int) -> Response:
        """Say that pairs are as proposed."""
        row = own(request, pk)
        comparisons.confirm(row, asked(request, Pairs)["pairs"], by=request.user)
        return self.show(row, Comparison)


class JoinPairs(Endpoint):
    @operation("joinPairs", tag="reading", asks=Pairs, answers=Comparison)
    def post(self, request: Request, pk: int) -> Response:
        """Say that the lesions of two or more pairs are one place of disease."""
        row = own(request, pk)
        comparisons.join(row, asked(request, Pairs)["pairs"], by=request.user)
        return self.show(row, Comparison)


class TakePairApart(Endpoint):
    @operation("takePairApart", tag="reading", answers=Comparison)
    def post(self, request: Request, pk: int, number: int) -> Response:
        """Say that the lesions of a pair are not one: each stands alone then."""
        row = own(request, pk)
        comparisons.take_apart(row, number, by=request.user)
        return self.show(row, Comparison)


class PlacePair(Endpoint):
    @operation("placePair", tag="reading", asks=Region, answers=Comparison)
    def post(self, request: Request, pk: int, number: int) -> Response:
        """Say in which region a pair lies."""
        row = own(request, pk)
        comparisons.place(row, number, **asked(request, Region), by=request.user)
        return self.show(row, Comparison)


class SignComparison(Endpoint):
    @operation("signComparison", tag="reading", asks=Password, answers=Comparison)
    def post(self, request: Request, pk: int) -> Response:
        """Sign a comparison whose pairs are all confirmed."""
        row = own(request, pk)
        comparisons.sign(row, **asked(request, Password), by=request.user)
        return self.show(own(request, pk), Comparison)


class PairedFilter(serializers.Serializer):
    trial = serializers.CharField(max_length=40, required=False)


class PairedCounts(serializers.Serializer):
    """Numbers by what the two tracers show: of lesions, or of patients."""

    both = serializers.IntegerField()
    first_only = serializers.IntegerField()
    second_only = serializers.IntegerField()
    neither = serializers.IntegerField()
    not_covered = serializers.IntegerField()


class PairedRegion(serializers.Serializer):
    region = serializers.CharField()
    lesions = PairedCounts()
    # Those with a place of disease in the region.
    patients = PairedCounts()
    # Patients who were compared and have none there; whether both scans cover it is not recorded.
    patients_without_place = serializers.IntegerField()


class PairedTable(serializers.Serializer):
    """The paired table of one reader and two tracers."""

    trial = serializers.CharField()
    reader = serializers.CharField()
    first_tracer = serializers.CharField()
    second_tracer = serializers.CharField()
    compared_patients = serializers.IntegerField()
    lesions = PairedCounts()
    patients = PairedCounts()
    regions = PairedRegion(many=True)


class PairedLesions(Endpoint):
    @operation(
        "listPairedLesions",
        tag="images",
        answers=PairedTable(many=True),
        filters=PairedFilter,
    )
    def get(self, request: Request) -> Response:
        """What two tracers show, per lesion, region and patient, of signed comparisons."""
        rows = pairings.listed(request.user)
        trial = filtered(request, PairedFilter).get("trial")
        if trial is not None:
            rows = rows.filter(
                first__quantification__series__imaging_study__scheduled_scan__patient__trial__identifier=trial
            )
        return Response([_table(one) for one in pairings.tables(rows)])


READS = models.Read.objects.select_related(
    f"{selecting.SCAN}__patient", f"{selecting.SCAN}__planned_scan__tracer"
)


def own(request: Request, pk: int) -> models.LesionComparison:
    row = permissions.fetched(
        selecting.with_reads(models.LesionComparison.objects),
        request.user,
        "comparison.edit",
        pk=pk,
    )
    comparisons.require_own(row, request.user)
    return row


def _comparable(row: selecting.Comparable) -> dict:
    first, second = comparisons.in_order(*row.reads)
    return {
        "first": first.pk,
        "second": second.pk,
        "first_reading": first.quantification.series.reading_identifier,
        "second_reading": second.quantification.series.reading_identifier,
        "comparison": row.comparison.pk if row.comparison else None,
        "state": row.comparison.state if row.comparison else None,
    }


def _shift(given: dict | None) -> RecordedShift | None:
    if given is None:
        return None
    rows = [tuple(row) for row in given.get("matrix", UNMOVED)]
    try:
        motion = Isometry((rows[0], rows[1], rows[2]), tuple(given["offset_mm"]))
    except IsometryError as error:
        raise Invalid("shift", str(error)) from error
    return RecordedShift(motion=motion, how=given["how"])


def _table(one: pairings.Table) -> dict:
    return {
        "trial": one.trial.identifier,
        "reader": str(one.reader),
        "first_tracer": one.first_tracer,
        "second_tracer": one.second_tracer,
        "compared_patients": one.compared,
        "lesions": _counts(one.counts.lesions),
        "patients": _counts(one.counts.patients),
        "regions": [
            {
                "region": region,
                "lesions": _counts(lesions),
                "patients": _counts(patients),
                "patients_without_place": one.counts.elsewhere[region],
            }
            for region, (lesions, patients) in one.counts.regions.items()
        ],
    }


def _counts(counts) -> dict[str, int]:
    return {outcome.replace("-", "_"): number for outcome, number in counts.items()}
