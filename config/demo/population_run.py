"""A data review of the demo trial: the full analysis set, decided blind and signed."""

from __future__ import annotations

from config.demo.accounts import DEMO_TRIAL, PASSWORD, user_of
from config.demo.narration import Narration
from reporting.models import PopulationReview
from reporting.selectors import populations as selectors
from reporting.services import populations as services
from trials.models import Trial
from trials.populations import Unit
from trials.roles import Role

REVIEWED = "FAS"


def build(narration: Narration) -> None:
    """The statistician reviews one population; one patient is decided otherwise, with a reason."""
    trial = Trial.objects.get(identifier=DEMO_TRIAL)
    by = user_of(Role.STATISTICIAN)
    with narration.step("Analysis populations: a blind data review"):
        if PopulationReview.objects.filter(trial=trial).exists():
            narration.say("was reviewed before")
            return
        review = services.begin(trial, population=REVIEWED, by=by)
        rows = [one for one in selectors.rows(trial) if one.population == REVIEWED]
        inside = [one for one in rows if one.proposed]
        if inside:
            review = services.decide(
                review,
                Unit(inside[-1].patient),
                is_in=False,
                reason="The site could not show the source of the weight at injection.",
                version=review.version,
                by=by,
            )
        facts, rules = selectors.facts(trial), selectors.rules_of(trial)
        services.sign(
            review,
            inputs_sha256=services.digest_of(facts, rules),
            version=review.version,
            password=PASSWORD,
            by=by,
        )
        narration.say(f"{REVIEWED}: {len(inside)} of {len(rows)} proposed in, signed by {by}")
