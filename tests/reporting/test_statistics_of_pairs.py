"""Paired comparisons against published worked examples and the reference's golden values."""

from __future__ import annotations

import csv
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reporting.statistics.paired import (
    VARIANTS,
    PairedTable,
    clustered_mcnemar,
    clustered_non_inferiority,
    hierarchy,
    mcnemar,
    non_inferiority,
    paired_difference,
    paired_table,
    score,
    score_difference,
)
from reporting.statistics.results import StatisticsError, normal_quantile


def pairs(both: int, first: int, second: int, neither: int) -> PairedTable:
    return PairedTable(both=both, first_only=first, second_only=second, neither=neither)


MARROW, NODES, OVERALL = pairs(9, 7, 1, 0), pairs(2, 11, 0, 4), pairs(10, 7, 0, 0)
OESOPHAGUS = pairs(14, 7, 5, 0)

# P: exact, mid-P, corrected, uncorrected; Newcombe's interval: reference, section 2.3.
GOLDEN = [
    (MARROW, (0.0703, 0.0391, 0.0771, 0.0339), (0.037, 0.596)),
    (NODES, (0.0010, 0.0005, 0.0026, 0.0009), (0.320, 0.811)),
    (OVERALL, (0.0156, 0.0078, 0.0233, 0.0082), (0.143, 0.640)),
    (OESOPHAGUS, (0.7744, 0.5811, 0.7728, 0.5637), (-0.182, 0.323)),
]


@pytest.mark.parametrize(("table", "ps", "ends"), GOLDEN)
def test_each_variant_has_its_own_p(table, ps, ends):
    assert tuple(round(mcnemar(table, variant=variant).test.p, 4) for variant in VARIANTS) == ps
    found = paired_difference(table).interval
    assert (round(found.lower, 3), round(found.upper, 3)) == ends


@pytest.mark.reference
def test_published_p_of_the_waldenstroem_study_are_the_corrected_ones(reference_data):
    published = json.loads((reference_data / "published/T02_waldenstrom_paired.json").read_text())
    with (reference_data / "published/T02_waldenstrom_paired.csv").open() as file:
        rows = list(csv.DictReader(file))
    for region in ("overall", "bone_marrow", "lymph_node"):
        table = paired_table(
            (row["pentixafor_pos"] == "1", row["fdg_pos"] == "1")
            for row in rows
            if row["region"] == region
        )
        result = mcnemar(table, variant="continuity-corrected")
        printed = published["published"][region]
        assert round(result.test.p, 3) == printed["p"]
        assert round((table.both + table.first_only) / table.n, 3) == printed["pentixafor"]
        assert round((table.both + table.second_only) / table.n, 3) == printed["fdg"]
        assert (result.test.name, result.test.variant) == ("McNemar", "continuity-corrected")


@pytest.mark.reference
def test_lesions_of_the_oesophagus_study_are_its_published_cells(reference_data):
    with (reference_data / "published/T01_esophagus_lesions.csv").open() as file:
        rows = [
            (row["pentixafor_pos"] == "1", row["fdg_pos"] == "1") for row in csv.DictReader(file)
        ]
    assert paired_table(rows) == OESOPHAGUS


def test_airway_example_has_the_published_intervals():
    # Bentur et al 2009: 1, 1, 7, 12 of 21 children. Fagerland, Lydersen, Laake, Stat Med
    # 2014;33:2850: Newcombe -0.507 to -0.026, Tango -0.517 to -0.026.
    airways = pairs(1, 1, 7, 12)
    newcombe, tango = paired_difference(airways).interval, score_difference(airways).interval
    assert (round(newcombe.lower, 3), round(newcombe.upper, 3)) == (-0.507, -0.026)
    assert (round(tango.lower, 3), round(tango.upper, 3)) == (-0.517, -0.026)


# Newcombe, Stat Med 1998;17:2635, table III: both, first alone, second alone, neither, and the
# limits of method 10.
NEWCOMBE = [
    (36, 12, 2, 0, 0.0569, 0.3404), (20, 12, 2, 16, 0.0562, 0.3292),
    (18, 12, 2, 18, 0.0562, 0.3290), (36, 14, 0, 0, 0.1528, 0.4167),
    (35, 14, 0, 1, 0.1461, 0.4175), (18, 14, 0, 18, 0.1441, 0.3963),
    (2, 97, 1, 0, 0.8721, 0.9854), (1, 97, 1, 1, 0.8736, 0.9850),
    (0, 29, 1, 0, 0.6666, 0.9882), (2, 98, 0, 0, 0.9178, 0.9945),
    (1, 98, 0, 1, 0.9171, 0.9916), (0, 30, 0, 0, 0.8395, 1.0),
    (54, 0, 0, 0, -0.0664, 0.0664), (53, 0, 0, 1, -0.0729, 0.0729),
    (30, 0, 0, 24, -0.0358, 0.0358), (29, 0, 0, 25, -0.0354, 0.0354),
    (28, 0, 0, 26, -0.0352, 0.0352), (27, 0, 0, 27, -0.0351, 0.0351),
]  # fmt: skip


@pytest.mark.parametrize("row", NEWCOMBE)
def test_newcombes_own_table_of_limits_is_met(row):
    *cells, lower, upper = row
    found = paired_difference(pairs(*cells)).interval
    # Four printed digits; of the 36 one, .8736, is .87367 here.
    assert (found.lower, found.upper) == pytest.approx((lower, upper), abs=8e-5)


# Both, first alone, second alone, neither; level; Newcombe, Tango; decimals. Complete response
# before and after consolidation (Cavo et al 2012) by R's contingencytables and, Tango's, PropCIs.
# Chang et al, PMC10763857, table 3. PropCIs' scoreci.mp(25, 28, 618), 90 %.
ELSEWHERE = [
    ((59, 6, 16, 80), 0.95, (-0.1186, -0.0046), (-0.1240, -0.0054), 4),
    ((7, 25, 2, 68), 0.95, (0.133, 0.318), (0.139, 0.321), 3),
    ((565, 28, 25, 0), 0.90, None, (-0.0148, 0.0247), 4),
]


@pytest.mark.parametrize(("cells", "level", "newcombe", "tango", "digits"), ELSEWHERE)
def test_intervals_of_paired_differences_are_those_of_others(cells, level, newcombe, tango, digits):
    table = pairs(*cells)
    for made, printed in ((paired_difference, newcombe), (score_difference, tango)):
        found = made(table, level=level).interval
        if printed:
            assert (round(found.lower, digits), round(found.upper, digits)) == printed


def test_contact_lens_example_of_tango_is_not_inferior():
    # Tango, Stat Med 1998;17:891: 43, 0, 1, 0 of 44 with a margin of 0.1: Z 1.709, P 0.044.
    result = non_inferiority(pairs(43, 0, 1, 0), margin=0.1, level=0.90)
    assert round(result.test.statistic, 3) == 1.709
    assert round(result.test.p, 3) == 0.044
    assert result.interval.lower == pytest.approx(-0.0957, abs=5e-5)
    assert result.test.variant == "Tango score (equal to Nam's), margin 0.1, one-sided"


# Psychiatrists with several patients each: discordant one way, the other, all pairs, as R's
# clust.bin.pair 0.1.2 ships them; the statistic of Durkalski et al 2003 for them is 7.542.
FIRST = [0, 1, 1, 1, 0, 3, 3, 3, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 3, 1, 1, 2, 0, 0, 0, 0, 0, 0, 0]
SECOND = [4, 2, 3, 2, 1, 3, 0, 2, 2, 4, 2, 4, 3, 2, 1, 3, 1, 2, 0, 0, 0, 2, 1, 2, 2, 0, 0, 1, 1]
ALL = [7, 6, 7, 6, 4, 6, 5, 8, 4, 7, 3, 6, 7, 6, 5, 4, 6, 5, 4, 3, 5, 4, 4, 2, 3, 2, 2, 3, 1]
PSYCHIATRISTS = [
    pairs(n - b - c, b, c, 0) for b, c, n in zip(FIRST, SECOND, ALL, strict=True)
]  # fmt: skip


def test_clustered_test_has_the_published_statistic():
    result = clustered_mcnemar(PSYCHIATRISTS, variant="Durkalski")
    assert round(result.test.statistic, 3) == 7.542
    assert result.notes == ("135 pairs in 29 clusters",)


# PET and SPECT of glands (Obuchowski, Stat Med 1998;17:1495), (b, c, n) of each of 21 patients.
GLANDS = [(0, 2, 3), (0, 1, 3), (0, 0, 3), (0, 0, 1), (0, 1, 3), (0, 0, 4), (0, 0, 3), (0, 0, 2),
          (1, 0, 2), (0, 0, 1), (0, 0, 3), (0, 0, 2), (0, 0, 3), (0, 0, 2), (0, 2, 2), (0, 0, 3),
          (0, 0, 3), (0, 1, 3), (0, 0, 2), (0, 0, 1), (0, 0, 2)]  # fmt: skip


def test_clustering_takes_significance_from_glands():
    # Durkalski et al 2003: 2.32 where McNemar's, uncorrected, is 4.5.
    tables = [pairs(n - b - c, b, c, 0) for b, c, n in GLANDS]
    plain = mcnemar(pairs(0, 1, 7, 0), variant="uncorrected")
    assert plain.test.statistic == 4.5
    assert round(clustered_mcnemar(tables, variant="Durkalski").test.statistic, 2) == 2.32


def test_one_lesion_a_patient_is_mcnemar():
    alone = [pairs(0, 1, 0, 0)] * 7 + [pairs(0, 0, 1, 0)] + [pairs(1, 0, 0, 0)] * 9
    plain = mcnemar(MARROW, variant="uncorrected").test.statistic
    assert clustered_mcnemar(alone, variant="Durkalski").test.statistic == pytest.approx(plain)
    assert clustered_mcnemar(alone).test.statistic == pytest.approx(plain * 16 / 17)


def test_patients_who_all_differ_alike_have_no_interval():
    result = clustered_mcnemar([pairs(1, 1, 0, 0)] * 3)
    assert (result.estimate, result.interval) == (0.5, None)
    assert result.notes[1] == "no interval: the counts leave no spread to estimate"
    alike = clustered_non_inferiority([pairs(1, 1, 0, 0)] * 3, margin=0.1)
    assert alike.reason == "not estimable: all clusters differ alike"


def test_clustered_non_inferiority_needs_two_patients():
    result = clustered_non_inferiority([pairs(3, 1, 0, 1)], margin=0.1)
    assert result.reason == "not estimable: clusters are compared, and there are fewer than 2"


def test_clustered_non_inferiority_is_walds():
    tables = [pairs(1, 1, 0, 0), pairs(1, 0, 1, 0)]
    # Differences 1 and -1 of 2 lesions each: D = 0, error sqrt(2 * 2) / 4 = 0.5.
    test = clustered_non_inferiority(tables, margin=0.5).test
    assert test.statistic == pytest.approx(1.0)
    assert test.p == pytest.approx(0.158655, abs=1e-6)


def test_no_pairs_give_no_difference():
    for result in (mcnemar(pairs(0, 0, 0, 0)), score_difference(pairs(0, 0, 0, 0))):
        assert result.reason == "not estimable: there are no pairs"


def test_agreement_throughout_is_p_of_one():
    assert [mcnemar(pairs(5, 0, 0, 4), variant=variant).test.p for variant in VARIANTS] == [1] * 4


@pytest.mark.parametrize("margin", [0, -0.1, 1])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(StatisticsError, match="a margin lies between 0 and 1"):
        non_inferiority(MARROW, margin=margin)


def test_after_a_hypothesis_not_shown_none_is_tested():
    superior, not_worse = mcnemar(NODES), non_inferiority(MARROW, margin=0.1)
    steps = hierarchy(
        [
            ("sensitivity", superior, 0.05),
            ("marrow", mcnemar(MARROW), 0.05),
            ("x", not_worse, 0.025),
        ]
    )
    assert [step.decision for step in steps] == ["shown", "not shown", "not tested"]


def test_a_significant_difference_the_wrong_way_shows_no_superiority():
    (step,) = hierarchy([("sensitivity", mcnemar(NODES.swapped()), 0.05)])
    assert step.decision == "not shown"


counts = st.integers(0, 30)
tables = st.builds(pairs, counts, counts, counts, counts).filter(lambda table: table.n > 0)


@given(tables)
def test_intervals_hold_the_difference_and_turn_with_the_tests(table):
    for method in (paired_difference, score_difference):
        ends, turned = method(table).interval, method(table.swapped()).interval
        assert -1 <= ends.lower <= table.difference + 1e-9
        assert table.difference - 1e-9 <= ends.upper <= 1
        assert math.isclose(ends.lower, -turned.upper, abs_tol=1e-7)


@given(tables, st.sampled_from(list(VARIANTS)))
def test_p_is_the_same_in_either_order(table, variant):
    found = mcnemar(table, variant=variant).test.p
    assert found == mcnemar(table.swapped(), variant=variant).test.p
    assert 0 <= found <= 1


@given(tables)
def test_ends_of_tangos_interval_are_where_the_score_is_the_quantile(table):
    ends = score_difference(table).interval
    if ends.lower > -1:
        assert score(table, ends.lower) == pytest.approx(normal_quantile(0.95), abs=1e-4)


def test_the_test_that_weighs_patients_has_the_estimate_that_does():
    # One patient with 100 lesions seen by the first alone, 20 with one seen by the second alone.
    tables = [pairs(0, 100, 0, 0), *[pairs(0, 0, 1, 0)] * 20]
    by_patient = clustered_mcnemar(tables, variant="Durkalski")
    assert by_patient.estimate == pytest.approx((1 - 20) / 21)
    assert clustered_mcnemar(tables).estimate == pytest.approx(80 / 120)
    ((decided,)) = hierarchy([("more is seen", by_patient, 0.05)])
    assert decided.decision == "not shown"
    for result in (by_patient, clustered_mcnemar(tables)):
        assert -1 <= result.interval.lower <= result.interval.upper <= 1
