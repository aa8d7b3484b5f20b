"""The report of reader agreement, on rows whose statistics are known from elsewhere."""

from __future__ import annotations

import pytest

from reporting.reports import measures, readers
from reporting.reports.content import Share
from reporting.reports.drawing import svg
from reporting.reports.rows import Rows
from reporting.statistics.proportions import wilson

# Yin 2024 as PET beside sampling: 13, 4, 2, 7 of 26, kappa 0.516 (0.182 to 0.849).
PUBLISHED = [("positive", "positive")] * 13 + [("positive", "negative")] * 4 + [
    ("negative", "positive")
] * 2 + [("negative", "negative")] * 7  # fmt: skip
# Peak expiratory flow by two meters (Bland & Altman, Lancet 1986;i:307, table 1).
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]


def answer(scan, first, second, *, readers=(1, 2), question="scan", subject="", **more):
    one, other = readers
    return {
        "patient": f"101-{scan:03}",
        "scan": scan,
        "question": question,
        "subject": subject,
        "first_read": 10 * scan + one,
        "second_read": 10 * scan + other,
        "first_reader": one,
        "second_reader": other,
        "first_answer": first,
        "second_answer": second,
        "is_comparable": True,
        "is_discordant": first != second,
        "is_asked": True,
    } | more


def number(scan, reader, value, test="SUVMAX", **more):
    return {
        "scan": scan,
        "reader": reader,
        "test": test,
        "value_number": value,
        "lesion_number": None,
        "role": "reader",
        "method": None,
        "unit": "g/mL",
        "is_accepted": False,
    } | more


def table(content, title):
    (found,) = (one for one in content.tables if title in one.title)
    return found


def row(content, title, *starts):
    rows = [one for one in table(content, title).rows if one[: len(starts)] == starts]
    assert len(rows) == 1, rows
    return rows[0]


def test_two_readers_have_the_published_kappa_whoever_signed_first():
    rows = [
        answer(scan, *said) if scan % 2 else answer(scan, said[1], said[0], readers=(2, 1))
        for scan, said in enumerate(PUBLISHED)
    ]
    content = readers.agreement(Rows({"reader_agreement": rows}))
    label, pair, scans, alike, rate, kappa = row(
        content, "by question", "Whether the scan is positive"
    )
    assert (pair, scans, alike) == ("1 and 2", 26, Share(20, 26))
    assert round(rate.value, 1) == 76.9
    assert [round(one, 3) for one in (kappa.value, kappa.lower, kappa.upper)] == [
        0.516, 0.182, 0.849,
    ]  # fmt: skip
    assert "95% intervals: Wilson; Fleiss-Cohen-Everitt." in table(content, "by question").notes
    # Positive agreement 2 * 13 / 32, negative 2 * 7 / 20.
    assert [one.value for one in row(content, "Positive and negative", label)[-2:]] == [
        0.8125, 0.7,
    ]  # fmt: skip
    # Graham & Bull, J Clin Epidemiol 1998;51:763: variance 4a(b + c)(a + b + c) / (2a + b + c)^4,
    # here by m / (m - 1) for the 19 patients that either reader called positive.
    variance = 4 * 13 * 6 * 19 / 32**4 * 19 / 18
    effective = 0.8125 * 0.1875 / variance
    ends = wilson(0.8125 * effective, effective)
    positive = row(content, "Positive and negative", label)[-2]
    assert (positive.lower, positive.upper) == pytest.approx((ends.lower, ends.upper))
    beside = [one[2:] for one in table(content, "beside each other").rows]
    assert beside == [
        ("positive", "positive", 13),
        ("positive", "negative", 4),
        ("negative", "positive", 2),
        ("negative", "negative", 7),
    ]


def test_several_pairs_of_readers_have_the_kappa_of_fleiss():
    said = {(1, 2): "++ +- --", (1, 3): "++ -- -+", (2, 3): "++ -- ++"}
    words = {"+": "positive", "-": "negative"}
    rows = [
        answer(10 * pair[0] + 100 * pair[1] + at, words[one[0]], words[one[1]], readers=pair)
        for pair, text in said.items()
        for at, one in enumerate(text.split())
    ]
    content = readers.agreement(Rows({"reader_agreement": rows}))
    *_, kappa = row(content, "by question", "Whether the scan is positive", readers.ALL)
    # irrCAC 0.4.4, CAC(...).fleiss(): 0.55, -0.13527127 to 1.
    assert (kappa.value, kappa.lower, kappa.upper) == pytest.approx((0.55, -0.13527127, 1.0))
    # A second scan of each patient that says the same tells no more.
    again = [one | {"scan": one["scan"] + 1000} for one in rows]
    doubled = readers.agreement(Rows({"reader_agreement": rows + again}))
    *_, kappa = row(doubled, "by question", "Whether the scan is positive", readers.ALL)
    assert (kappa.value, kappa.lower, kappa.upper) == pytest.approx((0.55, -0.13527127, 1.0))
    assert any("over patients" in note for note in table(doubled, "by question").notes)
    assert len(table(content, "by question").rows) == 4


def test_lesions_that_nobody_calls_one_leave_kappa_not_estimable():
    rows = [
        answer(1, "present", "present", question="lesion", subject="1"),
        answer(1, "present", "absent", question="lesion", subject="2"),
    ]
    content = readers.agreement(Rows({"reader_agreement": rows}))
    *_, kappa = table(content, "by question").rows[0]
    assert (kappa.value, kappa.reason) == (
        None, f"not estimable: {readers.LESIONS_OF_NEITHER}"
    )  # fmt: skip
    *_, neither, positive, negative = table(content, "Positive and negative").rows[0]
    assert (neither, round(positive.value, 3), negative.value) == (None, 0.667, None)


def test_lesions_have_a_positive_agreement_whose_interval_counts_patients():
    once = [
        answer(scan, *said, question="lesion", subject=str(subject))
        for scan, lesions in enumerate(("++ ++ ++", "+- +- -+", "++ ++", "+-"))
        for subject, said in enumerate(
            tuple({"+": "present", "-": "absent"}[sign] for sign in one) for one in lesions.split()
        )
    ]
    again = [one | {"subject": one["subject"] + "b"} for one in once]
    found = [
        row(readers.agreement(Rows({"reader_agreement": rows})), "Positive and negative")[-2]
        for rows in (once, once + again)
    ]
    assert found[0].value == pytest.approx(10 / 14)
    assert found[0].lower < 10 / 14 < found[0].upper
    # Each lesion said twice in its patient tells no more of the spread between patients.
    assert found[1].lower == pytest.approx(found[0].lower)


def test_a_region_is_negative_for_both_where_neither_names_it():
    rows = [answer(scan, "1", "1", question="lesion-number") for scan in (1, 2, 3)]
    rows.append(answer(1, "positive", "negative", question="region", subject="liver"))
    # A lesion of no region may lie in the liver.
    rows.append(answer(3, "not named", "named", question="region", is_comparable=False))
    content = readers.agreement(Rows({"reader_agreement": rows}))
    found = row(content, "by question", "Region positive: Liver")
    assert found[3] == Share(1, 2)
    assert ("a lesion without a region", 1) in table(content, "by question").missing


def test_counts_have_the_weights_of_their_distance():
    # statsmodels 0.15.0, inter_rater.cohens_kappa: linear 0.47368421, quadratic 0.45454545.
    counts = [[44, 5, 1], [7, 20, 3], [9, 5, 6]]
    said = [
        (str(one), str(other))
        for one in range(3)
        for other in range(3)
        for _ in range(counts[one][other])
    ]
    rows = [answer(at, *both, question="lesion-number") for at, both in enumerate(said)]
    content = readers.agreement(Rows({"reader_agreement": rows}))
    *_, linear, quadratic = table(content, "Weighted kappa").rows[0]
    assert (linear.value, quadratic.value) == pytest.approx((0.47368421, 0.45454545))


def test_intervals_count_patients_where_one_has_several_scans():
    said = [("positive", "positive"), ("negative", "negative"), ("positive", "negative")]
    apart, together = (
        readers.agreement(
            Rows({
                "reader_agreement": [
                    answer(at, *said[at % 3], patient=name(at))
                    for at in range(24)
                ],
            })
        )
        for name in (str, lambda at: str(at % 3))
    )  # fmt: skip
    of_scans, of_patients = (table(one, "by question").rows[0] for one in (apart, together))
    assert of_scans[5].value == of_patients[5].value
    assert of_patients[5].lower < of_scans[5].lower
    assert of_patients[4].lower < of_scans[4].lower
    assert (
        "95% intervals: Wilson over patients; Yang-Zhou over patients, t."
        in table(together, "by question").notes
    )
    assert "95% intervals: Wilson; Fleiss-Cohen-Everitt." in table(apart, "by question").notes


def test_a_response_that_is_not_evaluable_has_no_place_in_the_order():
    rows = [
        answer(1, "CMR", "PMR", question="response", subject="P"),
        answer(2, "SMD", "SMD", question="response", subject="P"),
        answer(3, "NE", "SMD", question="response", subject="P"),
        answer(4, "CMR", "not_stated", question="response", subject="P", is_comparable=False),
    ]
    rules = [{"rule": "P", "criterion": "percist"}]
    content = readers.agreement(Rows({"reader_agreement": rows, "responses": rules}))
    shares = {one[0]: one[3] for one in table(content, "by question").rows}
    assert shares == {
        "The category of response, PERCIST 1.0, with NE": Share(1, 3),
        "The category of response, PERCIST 1.0": Share(1, 2),
    }
    assert table(content, "Weighted kappa").missing == (("not evaluable", 1), (readers.NOT_BOTH, 1))
    assert any(one.endswith("scans that wait: 1.")
               for one in table(content, "adjudication").notes)  # fmt: skip


def test_adjudication_counts_scans_that_a_read_counts_for_all_the_same():
    rows = {
        "reader_agreement": [
            answer(1, "positive", "negative"),
            answer(2, "positive", "negative"),
            answer(3, "positive", "positive"),
            answer(4, "positive", "negative", is_asked=False),
        ],
        "findings": [number(1, 3, 5.0, is_accepted=True, role="adjudicator"),
                     number(3, 1, 5.0, is_accepted=True)],
        "scans": [{"scan": scan, "tracer": "PTF"} for scan in (1, 2, 3, 4)],
    }  # fmt: skip
    found = table(readers.agreement(Rows(rows)), "adjudication")
    tracer, scans, differ, _, settled, _, still = found.rows[0]
    assert (tracer, scans, differ, settled, still) == ("PTF", 4, Share(2, 3), Share(1, 3), 1)
    assert found.missing == ((readers.NOTHING_ASKED, 1),)


def twice():
    return Rows(
        {
            "reader_agreement": [
                answer(scan, "1", "1", question="lesion-number") for scan in range(19)
            ],
            "scans": [{"scan": scan, "tracer": "PTF"} for scan in range(19)],
            "findings": [
                number(scan, reader, float(value))
                for reader, values in ((1, LARGE), (2, MINI))
                for scan, value in enumerate(values)
            ]
            + [number(17, 1, 4.0), number(18, 1, 4.0, method="a"), number(18, 2, 4.0, method="b")],
        }
    )


def test_numbers_of_two_readers_have_the_published_limits():
    content = readers.agreement(twice())
    found = table(content, "Bland-Altman")
    name, unit, pair, n, bias, sd, lower, upper = found.rows[0]
    assert (name, unit, pair, n) == ("SUVmax, PTF", "g/mL", "1 and 2", 17)
    assert dict(found.missing) == {measures.NO_NUMBER: 1, measures.OTHER_WAY: 1}
    # Printed: -2.1 (-22.0 to 17.8), SD 38.8; at 2 SD the limits are -79.7 and 75.5.
    assert (bias.value, bias.lower, bias.upper) == pytest.approx((-2.1, -22.0, 17.8), abs=0.2)
    assert (sd.value, lower.value, upper.value) == pytest.approx(
        (38.8, -2.1 - 1.96 * 38.8, -2.1 + 1.96 * 38.8), abs=0.2
    )
    *_, icc, model = table(content, "Repeatability").rows[0]
    # pingouin 0.6.1, intraclass_corr, ICC(A,1): 0.945928, 0.86 to 0.98.
    assert (round(icc.value, 6), model) == (0.945928, "ICC(2,1)")
    assert (round(icc.lower, 2), round(icc.upper, 2)) == (0.86, 0.98)


def test_the_drawing_of_differences_is_the_same_twice_and_told_in_words():
    (figure,) = (one for one in readers.agreement(twice()).figures if "differences" in one.title)
    assert "bias -2.12" in figure.alternative
    assert svg(figure.drawing) == svg(figure.drawing)
    assert len(figure.drawing.points) == 17
    # The bands are the intervals of the limits and of the bias between them.
    assert [low < high for low, high in figure.drawing.bands] == [True] * 3


def test_an_index_of_the_sides_has_no_coefficient_of_variation_and_no_ratio():
    rows = [answer(scan, "1", "1", question="lesion-number") for scan in (1, 2)]
    found = [
        number(scan, reader, value, test="ADRINDEX")
        for scan, reader, value in ((1, 1, 0.4), (1, 2, 0.5), (2, 1, 0.1), (2, 2, 0.2))
    ]
    content = readers.agreement(Rows({"reader_agreement": rows, "findings": found}))
    assert not [one for one in content.tables if one.title.startswith("Ratio")]
    cv = table(content, "Repeatability").rows[0][6]
    assert cv.reason == "not estimable: zero of this index is no difference, not nothing"


def test_an_export_without_the_answers_says_so():
    held = {"first_answer", "second_answer", "subject"}
    row = {name: value for name, value in answer(1, "1", "1").items() if name not in held}
    assert readers.agreement(Rows({"reader_agreement": [row]})).why_empty == readers.LEFT_OUT
