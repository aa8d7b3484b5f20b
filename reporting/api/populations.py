"""Analysis populations and their data reviews over the API."""

from __future__ import annotations

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from reporting.flow import STANDINGS, flow
from reporting.models import PopulationReview
from reporting.selectors import populations as selectors
from reporting.services import populations as services
from reporting.views import populations as pages
from trials import populations as rules
from trials.api.base import Endpoint, asked, filtered, operation
from trials.api.fields import Key, Line
from trials.models import Signature
from trials.populations import Unit

STANDING = "Of the review that decided, empty without one: " + ", ".join(STANDINGS)


class FlowLeft(serializers.Serializer):
    reason = serializers.CharField()
    patients = serializers.ListField(child=serializers.CharField())


class FlowStep(serializers.Serializer):
    """A step of the flow; `left` are those of the step before who are not in it, by reason."""

    population = serializers.CharField(help_text="SCREENED for the first step.")
    label = serializers.CharField()
    number = serializers.IntegerField()
    patients = serializers.ListField(child=serializers.CharField())
    left = FlowLeft(many=True)
    joined = serializers.ListField(child=serializers.CharField())
    standing = serializers.CharField(allow_blank=True, help_text=STANDING)


class PopulationShape(serializers.Serializer):
    identifier = serializers.CharField(source="population.identifier")
    label = serializers.CharField(source="population.label")
    level = serializers.CharField(source="population.level", help_text=", ".join(rules.LEVELS))
    is_proposed = serializers.BooleanField(
        source="population.is_proposed", help_text="Whether no source states the rule."
    )
    conditions = serializers.ListField(child=serializers.CharField())
    units = serializers.IntegerField()
    proposed = serializers.IntegerField()
    counted = serializers.IntegerField()
    overruled = serializers.IntegerField()
    standing = serializers.CharField(allow_blank=True, help_text=STANDING)
    open_review = serializers.IntegerField(allow_null=True)


class TrialPopulations(serializers.Serializer):
    """Every population with its numbers, and the flow of patients made of the same rows."""

    version = serializers.CharField(allow_blank=True)
    populations = PopulationShape(many=True)
    flow = FlowStep(many=True)


class PopulationReason(serializers.Serializer):
    condition = serializers.CharField()
    text = serializers.CharField()


class PopulationUnit(serializers.Serializer):
    """A unit of a population: proposed by the rule, decided in a signed review or not."""

    patient = serializers.IntegerField()
    identifier = serializers.CharField()
    site = serializers.CharField()
    scan = serializers.CharField(allow_blank=True)
    is_in = serializers.BooleanField(help_text="As decided, else as proposed.")
    proposed = serializers.BooleanField()
    reasons = PopulationReason(many=True)
    decided = serializers.BooleanField(allow_null=True)
    decision_reason = serializers.CharField(allow_blank=True)
    review = serializers.IntegerField(allow_null=True)
    standing = serializers.CharField(allow_blank=True, help_text=STANDING)
    changes = serializers.ListField(child=serializers.CharField())
    signed_by = serializers.CharField(allow_blank=True)
    signed_at = serializers.CharField(allow_blank=True)


class PopulationReviewShape(serializers.ModelSerializer):
    trial = serializers.CharField(source="trial.identifier")
    opened_by = serializers.StringRelatedField()
    state = serializers.CharField(help_text="draft, signed, abandoned")
    abandoned_by = serializers.StringRelatedField()

    class Meta:
        model = PopulationReview
        fields = [
            "id",
            "trial",
            "population",
            "state",
            "version",
            "protocol_version",
            "inputs_sha256",
            "exports_taken",
            "opened_by",
            "opened_at",
            "signed_at",
            "abandoned_by",
            "abandoned_at",
            "abandoned_because",
        ]


class PopulationReviewWithFacts(PopulationReviewShape):
    """A review; of an open one the digest to sign with, of everything its rules look at now."""

    facts_sha256 = serializers.SerializerMethodField()
    is_as_signed = serializers.SerializerMethodField(
        help_text="Whether what is stored is what was signed; null where nothing was."
    )

    class Meta(PopulationReviewShape.Meta):
        fields = [*PopulationReviewShape.Meta.fields, "facts_sha256", "is_as_signed"]

    def get_facts_sha256(self, row: PopulationReview) -> str:
        if row.state == PopulationReview.State.SIGNED:
            return row.inputs_sha256
        facts = selectors.facts(row.trial)
        return services.digest_of(facts, selectors.rules_of(row.trial))

    def get_is_as_signed(self, row: PopulationReview) -> bool | None:
        if row.state != PopulationReview.State.SIGNED:
            return None
        return selectors.is_as_signed(row, selectors.signature_of(row))


class UnitFilter(serializers.Serializer):
    show = serializers.ChoiceField(["in", "out"], required=False)


class DecidePopulationUnit(serializers.Serializer):
    patient = Key()
    scan = Line(max_length=40, allow_blank=True, default="", help_text="Planned scan; else empty.")
    is_in = serializers.BooleanField()
    reason = Line(max_length=400)
    version = Key(help_text="The version of the review that was looked at.")


class AbandonPopulationReview(serializers.Serializer):
    reason = Line(max_length=400, help_text="Stands with the review and in the audit trail.")


class SignPopulationReview(serializers.Serializer):
    version = Key(help_text="The version that was looked at.")
    facts_sha256 = Line(max_length=64, help_text="As the review gave it when it was looked at.")
    password = serializers.CharField(max_length=1000, trim_whitespace=False, write_only=True)


class SignedPopulationReview(serializers.ModelSerializer):
    review = serializers.IntegerField(source="subject_pk")
    meaning = serializers.CharField(source="get_meaning_display")

    class Meta:
        model = Signature
        fields = ["review", "signer_name", "signed_at", "meaning", "content_sha256"]


class PopulationsOfTrial(Endpoint):
    @operation("getPopulations", tag="populations", answers=TrialPopulations)
    def get(self, request: Request, identifier: str) -> Response:
        """The analysis populations of a trial, with the flow of CONSORT and STARD."""
        trial = pages.trial_for(request, identifier, pages.VIEW)
        found = selectors.record(trial)
        shown = {
            "version": found.rules.version,
            "populations": pages.counts(trial, found),
            "flow": flow(found.rows).boxes,
        }
        return self.show(shown, TrialPopulations)


class PopulationUnits(Endpoint):
    @operation(
        "listPopulationUnits",
        tag="populations",
        answers=PopulationUnit(many=True),
        filters=UnitFilter,
    )
    def get(self, request: Request, identifier: str, population: str) -> Response:
        """The units of a population: what the rule proposes and why, and what was decided."""
        trial = pages.trial_for(request, identifier, pages.VIEW)
        chosen = filtered(request, UnitFilter).get("show", "")
        found = selectors.record(trial, only=population)
        pages.rule_of(found.rules, population)
        return self.page([one for one in found.rows if pages.is_shown(one, chosen)], PopulationUnit)


class PopulationReviews(Endpoint):
    @operation(
        "openPopulationReview", tag="populations", answers=PopulationReviewWithFacts, status=201
    )
    def post(self, request: Request, identifier: str, population: str) -> Response:
        """Open a blind data review of a population; one is open at a time."""
        trial = pages.trial_for(request, identifier, pages.REVIEW)
        pages.rule_of(selectors.rules_of(trial), population)
        row = services.begin(trial, population=population, by=request.user)
        return self.show(row, PopulationReviewWithFacts, status=201)


class OnePopulationReview(Endpoint):
    @operation("getPopulationReview", tag="populations", answers=PopulationReviewWithFacts)
    def get(self, request: Request, pk: int) -> Response:
        """One review, open or signed."""
        return self.show(pages.review_for(request, pk, pages.VIEW), PopulationReviewWithFacts)


class PopulationDecisions(Endpoint):
    @operation(
        "decidePopulationUnit",
        tag="populations",
        asks=DecidePopulationUnit,
        answers=PopulationReviewShape,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Decide of one unit otherwise than the rule, or confirm it, with a reason."""
        row = pages.review_for(request, pk, pages.REVIEW)
        given = asked(request, DecidePopulationUnit)
        unit = Unit(given["patient"], given["scan"])
        told = {name: given[name] for name in ("is_in", "reason", "version")}
        return self.show(services.decide(row, unit, by=request.user, **told), PopulationReviewShape)


class PopulationAbandonment(Endpoint):
    @operation(
        "abandonPopulationReview",
        tag="populations",
        asks=AbandonPopulationReview,
        answers=PopulationReviewShape,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Give up an open review; its decisions stay on record and count nowhere."""
        row = pages.review_for(request, pk, pages.REVIEW)
        given = asked(request, AbandonPopulationReview)
        return self.show(
            services.abandon(row, reason=given["reason"], by=request.user), PopulationReviewShape
        )


class PopulationSignature(Endpoint):
    @operation(
        "signPopulationReview",
        tag="populations",
        asks=SignPopulationReview,
        answers=SignedPopulationReview,
    )
    def post(self, request: Request, pk: int) -> Response:
        """Sign a review: its decisions, with the facts and rules they rest on."""
        row = pages.review_for(request, pk, pages.REVIEW)
        given = asked(request, SignPopulationReview)
        signature = services.sign(
            row,
            inputs_sha256=given["facts_sha256"],
            version=given["version"],
            password=given["password"],
            by=request.user,
        )
        return self.show(signature, SignedPopulationReview)
