"""What a scale of response asks of a reader beside the lesions: the questions and their answers.

The mistake to fear is an answer that nobody gave: what is not answered stays so, and the scale
that needs it is not evaluable.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

Answers = Mapping[str, str]

YES_NO = (("yes", "Yes"), ("no", "No"))


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a read. `scales` ask it of a later scan; `of_baseline` of a baseline too."""

    code: str
    text: str
    choices: tuple[tuple[str, str], ...]
    scales: frozenset[str]
    of_baseline: bool = False


QUESTIONS: Mapping[str, Question] = MappingProxyType(
    {
        one.code: one
        for one in (
            Question(
                "deauville",
                "Deauville score of the hottest residual uptake",
                (
                    ("1", "1: no uptake above the surroundings"),
                    ("2", "2: at most that of the mediastinum"),
                    ("3", "3: above the mediastinum, at most that of the liver"),
                    ("4", "4: moderately above the liver"),
                    ("5", "5: markedly above the liver, or a new lesion"),
                    ("X", "X: new uptake that is unlikely to be lymphoma"),
                ),
                frozenset({"lugano"}),
            ),
            Question(
                "uptake",
                "Uptake against the baseline scan",
                (("reduced", "Less"), ("unchanged", "Unchanged"), ("increased", "More")),
                frozenset({"lugano"}),
            ),
            Question(
                "marrow",
                "Involvement of the bone marrow",
                (
                    ("none", "None"),
                    ("reduced", "Less than at baseline"),
                    ("unchanged", "As at baseline"),
                    ("new", "New, or come back"),
                ),
                frozenset({"lugano"}),
            ),
            Question(
                "new_lesion",
                "A new lesion, typical of the disease and not explained by treatment or infection",
                YES_NO,
                frozenset({"lugano", "percist", "eortc"}),
            ),
            Question(
                "new_lesion_ct",
                "A new lesion on CT, not explained by treatment or another technique",
                YES_NO,
                frozenset({"recist"}),
            ),
            Question(
                "grown_visibly",
                "The extent of uptake grew visibly",
                YES_NO,
                frozenset({"percist"}),
            ),
            Question(
                "grown_by_fifth",
                "The longest dimension of uptake grew by more than 20 %",
                YES_NO,
                frozenset({"eortc"}),
            ),
            Question(
                "risen_elsewhere",
                "A lesion other than the hottest rose by more than 30 % in SUV or size",
                YES_NO,
                frozenset({"percist"}),
            ),
            Question(
                "indistinguishable",
                "No lesion can be told from the tissue around it",
                YES_NO,
                frozenset({"percist", "eortc"}),
            ),
            Question(
                "liver_diseased",
                "The liver is diseased; the blood pool then stands for it",
                YES_NO,
                frozenset({"percist"}),
                of_baseline=True,
            ),
        )
    }
)


def asked(as_later: Iterable[str], as_baseline: Iterable[str] = ()) -> tuple[Question, ...]:
    """What is asked of a scan, by the scales that it is a later scan or a baseline of.

    >>> [one.code for one in asked([], ["percist"])]
    ['liver_diseased']
    """
    later, baseline = frozenset(as_later), frozenset(as_baseline)
    return tuple(
        one
        for one in QUESTIONS.values()
        if one.scales & later or (one.of_baseline and one.scales & baseline)
    )


def said(answers: Answers, code: str) -> bool | None:
    """The answer to a question of yes and no; None where nobody gave one.

    >>> said({"new_lesion": "no"}, "new_lesion"), said({}, "new_lesion")
    (False, None)
    """
    answer = answers.get(code)
    return None if not answer else answer == "yes"
