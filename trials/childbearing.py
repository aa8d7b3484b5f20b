"""Whether a patient is a woman able to bear children, from what the record tells of it.

As the Clinical Trial Facilitation Group has it (Recommendations on contraception and
pregnancy testing, 2014/2020): able after menarche and until postmenopausal, which is no
period for 12 months without another cause, unless permanently sterile by hysterectomy,
bilateral salpingectomy or bilateral oophorectomy. Tubal ligation is not sterility. The one
mistake to fear is that nobody asked: unknown counts as able, so that a test is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trials import readings, variables
from trials.kleene import Truth, agreed, all_of, any_of
from trials.readings import SEX, Reading, Record
from trials.spans import Window

STERILE = ("hysterectomy", "bilateral_salpingectomy", "bilateral_oophorectomy")
MENARCHE, NO_PERIOD = "menarche", "amenorrhoea.twelve_months"
OTHER_CAUSE, BY_FSH = "amenorrhoea.other_cause", "menopause.fsh_confirmed"
STATED, PREGNANT = "childbearing_potential", "pregnant"
VARIABLES = {
    SEX,
    STATED,
    PREGNANT,
    "pregnancy_test",
    MENARCHE,
    NO_PERIOD,
    OTHER_CAUSE,
    BY_FSH,
    *STERILE,
}


@dataclass(frozen=True, slots=True)
class Ability:
    """The answer in words, what would settle it, and what it rests on."""

    truth: Truth
    words: str
    to_do: str
    evidence: tuple[int, ...]
    readings: tuple[Reading, ...]


def able(record: Record, taken: Window) -> Ability:
    """Whether the patient is a woman able to bear children."""
    possible, sex_words, sex_evidence = readings.sexes(record)
    is_female = agreed(Truth.known(sex == "F") for sex in possible)
    if is_female is Truth.NO:
        return Ability(Truth.NO, f"Sex at birth: {sex_words}.", "", sex_evidence, ())
    looked_at = {name: _answers(name, record, taken) for name in sorted(VARIABLES - {SEX})}
    is_able = _is_able({name: _truth(found) for name, found in looked_at.items()})
    truth = all_of([is_female, is_able])
    used = tuple(one for found, _ in looked_at.values() for one in found)
    evidence = (*sex_evidence, *(number for one in used for number in one.evidence))
    if truth is Truth.UNKNOWN:
        return Ability(
            truth,
            f"Able to bear children: not known, which counts as able{_told(used)}.",
            "Record what tells it: menarche, 12 months without a period and no other cause, "
            "removal of uterus, tubes or ovaries; or fulfil the criterion.",
            evidence,
            used,
        )
    word = "yes" if truth is Truth.YES else "no"
    return Ability(truth, f"Able to bear children: {word}{_told(used)}.", "", evidence, used)


def _is_able(of: dict[str, Truth]) -> Truth:
    """From the single answers; a pregnancy proves it, what the site states goes next."""
    postmenopausal = any_of([all_of([of[NO_PERIOD], ~of[OTHER_CAUSE]]), of[BY_FSH]])
    unable = any_of([~of[MENARCHE], *(of[name] for name in STERILE), postmenopausal])
    if of[PREGNANT] is Truth.YES:
        return (
            Truth.YES if unable is not Truth.YES and of[STATED] is not Truth.NO else Truth.UNKNOWN
        )
    if of[STATED] is Truth.UNKNOWN:
        # That all of this was answered and none makes her unable says that she is able.
        return ~unable
    contradicts = of[STATED] is Truth.YES and unable is Truth.YES
    contradicts |= of[STATED] is Truth.NO and unable is Truth.NO
    return Truth.UNKNOWN if contradicts else of[STATED]


def _answers(name: str, record: Record, taken: Window) -> tuple[list[Reading], bool]:
    return readings.newest(readings.readings(name, unit="", taken=taken, record=record))


def _truth(found: tuple[list[Reading], bool]) -> Truth:
    chosen, is_sure = found
    if not is_sure:
        return Truth.UNKNOWN
    positive = {True, "positive"}
    return agreed(
        Truth.UNKNOWN if one.problem else Truth.known(one.value in positive) for one in chosen
    )


def _told(used: Sequence[Reading]) -> str:
    facts = dict.fromkeys(
        f"{variables.variable(str(one.workings.get('variable'))).label.lower()} {one.words}"
        for one in used
    )
    return f" ({'; '.join(facts)})" if facts else ""
