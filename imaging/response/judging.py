"""A response from what was frozen of two scans: the same inputs give the same answer.

    SUL = SUV by body weight * lean body mass / body weight

`inputs` is what an evaluation keeps, plain JSON: the rule of the protocol, the tracer, and of each
scan what was measured and what its reader said. The mistake to fear is a lean body mass from a
height or a sex that nobody recorded: there is then no SUL, and no response.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from imaging.normalisations import NormalisationError, is_past_turning, normaliser
from imaging.response import eortc, lugano, percist, qpet, recist_course
from imaging.response.glucose import Glucose
from imaging.response.organs import organ_of
from imaging.response.questions import said
from imaging.response.terms import Response, answer, fdg_flags

Inputs = Mapping[str, Any]
# One scan: see `services.responses` for where each value is from.
Side = Mapping[str, Any]


def judged(inputs: Inputs) -> Response:
    """The response by the scale that the rule names, or NE with all that stands against it."""
    response = _SCALES[inputs["rule"]["criterion"]](inputs)
    flags = (*response.flags, *_mass_flags(inputs), *_liver_flags(inputs))
    return replace(response, flags=flags)


def factor(side: Side, suv_type: str) -> float:
    """What an SUV by body weight is multiplied by to be one of another SUV Type (0054,1006).

    Raises
    ------
    NormalisationError
        If weight, height or sex are not known.
    """
    weight, height = side["weight_kg"], side["height_cm"]
    if not weight:
        raise NormalisationError("the body weight that the SUV rests on is not known")
    if suv_type == "BW":
        return 1.0
    if not height:
        raise NormalisationError("no height is recorded")
    if suv_type != "BSA" and side["sex"] not in {"M", "F"}:
        raise NormalisationError("the sex at birth is not recorded")
    mass = normaliser(suv_type, weight=weight, size=height / 100.0, sex=side["sex"])
    return mass / (weight * 1000.0)


def _both(inputs: Inputs) -> Iterator[tuple[str, Side]]:
    yield "baseline", inputs["baseline"]
    yield "later scan", inputs["later"]


def _against_normalising(inputs: Inputs, suv_type: str) -> Iterator[str]:
    for name, side in _both(inputs):
        try:
            factor(side, suv_type)
        except NormalisationError as error:
            yield f"{suv_type} of the {name} can't be computed: {str(error).rstrip('.')}"


def _percist(inputs: Inputs) -> Response:
    lean, answers = inputs["rule"]["lean_mass"], inputs["later"]["answers"]
    if against := tuple(_against_normalising(inputs, lean)):
        return _not_evaluable(inputs, percist.SCALE, percist.SOURCE, against)
    return percist.percist(
        _percist_scan(inputs["baseline"], lean),
        _percist_scan(inputs["later"], lean),
        percist.PercistReading(
            has_new_lesion=said(answers, "new_lesion"),
            has_grown_visibly=said(answers, "grown_visibly"),
            has_risen_elsewhere=said(answers, "risen_elsewhere"),
            is_indistinguishable=said(answers, "indistinguishable"),
        ),
        tracer=inputs["tracer"],
    )


def _percist_scan(side: Side, lean: str) -> percist.PercistScan:
    by = factor(side, lean)
    liver, lesions = side["liver"], side["lesions"]
    # Earlier releases froze none.
    blood = side.get("blood_pool")
    definitions = {one["suvpeak_definition"] for one in lesions}
    return percist.PercistScan(
        lesions=tuple(
            percist.PercistLesion(
                name=str(one["number"]),
                organ=organ_of(one["region"]),
                sul_peak=one["suvpeak"] * by,
                glycolysis=one["suvmean"] * by * one["volume_ml"],
            )
            for one in lesions
        ),
        liver_mean=liver["suvmean"] * by if liver else None,
        liver_sd=liver["suv_sd"] * by if liver else None,
        is_liver_diseased=said(side["answers"], "liver_diseased"),
        blood_mean=blood["suvmean"] * by if blood else None,
        blood_sd=blood["suv_sd"] * by if blood else None,
        uptake_minutes=side["uptake_minutes"],
        activity_mbq=activity_mbq(side),
        glucose=glucose(side),
        scanner_class=side["scanner"],
        suv_type=lean,
        # A scan without a lesion has the definition that its run would have measured by.
        peak_definition=definitions.pop() if len(definitions) == 1 else side["peak_definition"],
        has_coarse_peak=bool(side.get("peak_note")),
    )


def activity_mbq(side: Side) -> float | None:
    """Injected activity in MBq that is frozen of a scan; earlier releases froze Bq."""
    if "activity_mbq" in side:
        return side["activity_mbq"]
    found = side.get("injected_activity_bq")
    return found / 1e6 if found else None


def glucose(side: Side) -> Glucose | None:
    """Plasma glucose that is frozen of a scan; earlier releases froze a number alone, or none."""
    if found := side.get("glucose"):
        return Glucose(**found)
    number = side.get("glucose_mg_dl")
    return Glucose(number) if number else None


def _eortc(inputs: Inputs) -> Response:
    rule, answers = inputs["rule"], inputs["later"]["answers"]
    suv_type = rule["suv_type"]
    against = [*_against_normalising(inputs, suv_type), *_against_pairing(inputs)]
    if against and said(answers, "new_lesion"):
        return eortc.new_lesion(against, inputs["tracer"])
    if against:
        return _not_evaluable(inputs, eortc.SCALE, eortc.SOURCE, against)
    pair = inputs["pair"]
    return eortc.eortc(
        eortc.EortcScan(
            suv=_suvmax(inputs["baseline"], pair["baseline"], suv_type), suv_type=suv_type
        ),
        eortc.EortcScan(
            suv=_suvmax(inputs["later"], pair["later"], suv_type),
            suv_type=suv_type,
            is_gone=pair.get("outcome") == "first-only",
        ),
        eortc.EortcReading(
            has_new_lesion=said(answers, "new_lesion"),
            has_grown=said(answers, "grown_by_fifth"),
            is_resolved=said(answers, "indistinguishable"),
        ),
        cycles=rule["cycles"],
        tracer=inputs["tracer"],
    )


def _against_pairing(inputs: Inputs) -> Iterator[str]:
    if not inputs["baseline"]["lesions"]:
        yield "the baseline has no lesion"
    elif inputs["pair"] is None:
        yield (
            "no signed comparison of the two scans says which lesion of the later one is the "
            "hottest of the baseline"
        )
    elif inputs["pair"].get("outcome") == "not-covered":
        # Not shown is then not gone.
        yield "the hottest lesion of the baseline lies outside the later scan"


def _suvmax(side: Side, number: int | None, suv_type: str) -> float | None:
    """SUVmax of a lesion by its number; None where the scan does not show it."""
    found = [one for one in side["lesions"] if one["number"] == number]
    return found[0]["suvmax"] * factor(side, suv_type) if found else None


def _lugano(inputs: Inputs) -> Response:
    answers = inputs["later"]["answers"]
    return lugano.lugano(
        lugano.LuganoReading(
            score=answers.get("deauville"),
            uptake=answers.get("uptake"),
            has_new_foci=said(answers, "new_lesion"),
            marrow=answers.get("marrow"),
        ),
        tracer=inputs["tracer"],
    )


def _qpet(inputs: Inputs) -> Response:
    side = inputs["later"]
    if why := side["qpet"].get("why"):
        return _not_evaluable(inputs, qpet.SCALE, qpet.SOURCE, (why,))
    return qpet.qpet(
        side["qpet"]["peak"],
        peak_definition=qpet.PEAK_DEFINITION,
        liver_mean=side["liver"]["suvmean"] if side["liver"] else None,
        tracer=inputs["tracer"],
    )


def _not_evaluable(inputs: Inputs, scale: str, source: str, against: Any) -> Response:
    flags = fdg_flags(inputs["tracer"])
    return answer("NE", tuple(against), scale=scale, source=source, flags=flags)


def _mass_flags(inputs: Inputs) -> tuple[str, ...]:
    rule = inputs["rule"]
    suv_type = rule.get("lean_mass") or rule.get("suv_type", "BW")
    if suv_type == "BW":
        return ()
    past = any(
        is_past_turning(
            suv_type, weight=side["weight_kg"], size=side["height_cm"] / 100.0, sex=side["sex"]
        )
        for _, side in _both(inputs)
        if side["weight_kg"] and side["height_cm"]
    )
    return ("lean-mass-past-turning",) if past else ()


def _liver_flags(inputs: Inputs) -> tuple[str, ...]:
    """Whether the liver of a scan is of another sphere than that of PERCIST."""
    if inputs["rule"]["criterion"] != "percist":
        return ()
    if any(said(side["answers"], "liver_diseased") for _, side in _both(inputs)):
        # The blood pool stands for it.
        return ()
    livers = [side["liver"] for _, side in _both(inputs) if side["liver"]]
    # A millimetre is less than a voxel of any PET.
    other = any(abs(one["radius_mm"] - percist.LIVER_RADIUS_MM) > 1 for one in livers)
    return (percist.OTHER_LIVER,) if other else ()


_SCALES: Mapping[str, Callable[[Inputs], Response]] = MappingProxyType(
    {
        "percist": _percist,
        "eortc": _eortc,
        "lugano": _lugano,
        "qpet": _qpet,
        "recist": recist_course.judged,
    }
)
