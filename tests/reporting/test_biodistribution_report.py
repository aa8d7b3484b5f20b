"""The report of biodistribution: which spheres count with which, and the spread of each organ."""

from __future__ import annotations

import statistics

from reporting.reports import biodistribution
from reporting.reports.drawing import svg
from reporting.reports.rows import Rows

# Numbers of a spread: peak expiratory flow (Bland & Altman, Lancet 1986;i:307, table 1).
LARGE = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]


def sphere(scan, value, *, organ="liver", tracer="68Ga-Pentixafor", plan="ptf", **more):
    return {
        "usubjid": f"DEMO-{scan % 100}",
        "scan": scan,
        "planned_scan": plan,
        "tracer": tracer,
        "region_kind": organ,
        "suvmean": value,
        "suvmax": value,
        "suvpeak": value,
        "suvpeak_definition": "sphere_1ml",
        "uptake_minutes": 60.0,
        "net_activity_mbq": 150.0,
    } | more


def scan(number, *, tracer="68Ga-Pentixafor", plan="ptf", state="quantified"):
    return {"scan": number, "tracer": tracer, "planned_scan": plan, "state": state}


def table(content, title):
    (found,) = (one for one in content.tables if title in one.title)
    return found


def test_an_organ_has_the_spread_that_python_has():
    rows = Rows({"organs": [sphere(at, float(value)) for at, value in enumerate(LARGE)]})
    (row,) = table(biodistribution.uptake(rows), "SUVmean").rows
    organ, tracer, plan, n, patients, without, mean, sd, middle, low, high, iqr, least, most = row
    assert (organ, tracer, plan, n, patients, without) == (
        "Liver", "68Ga-Pentixafor", "ptf", 17, 17, 0,
    )  # fmt: skip
    assert (round(mean, 9), round(sd, 9)) == (
        round(statistics.fmean(LARGE), 9), round(statistics.stdev(LARGE), 9),
    )  # fmt: skip
    assert middle == statistics.median(LARGE)
    assert [low, high] == statistics.quantiles(LARGE, method="inclusive")[::2]
    assert (iqr, least, most) == (high - low, 178, 656)


def test_two_tracers_two_plans_and_two_definitions_of_the_peak_are_never_one_mean():
    spheres = [
        sphere(1, 5.0),
        sphere(2, 2.0, tracer="18F-FDG", plan="fdg"),
        sphere(3, 7.0, plan="ptf_late"),
        sphere(4, 9.0, suvpeak_definition="ibsi_global"),
    ]
    content = biodistribution.uptake(Rows({"organs": spheres}))
    means = {row[:3]: (row[3], row[6]) for row in table(content, "SUVmean").rows}
    assert means == {
        ("Liver", "18F-FDG", "fdg"): (1, 2.0),
        ("Liver", "68Ga-Pentixafor", "ptf"): (2, 7.0),
        ("Liver", "68Ga-Pentixafor", "ptf_late"): (1, 7.0),
    }
    peaks = [(row[0], row[3]) for row in table(content, "SUVpeak").rows]
    assert ("Liver (ibsi global)", 1) in peaks
    assert ("Liver (sphere 1ml)", 1) in peaks
    assert len(content.figures) == 3


def test_what_is_missing_is_counted_by_reason():
    rows = Rows(
        {
            "organs": [
                sphere(1, 5.0, suvmax=None, suvpeak=None, uptake_minutes=None),
                sphere(1, 2.0, organ="blood_pool"),
                sphere(2, 5.0),
            ],
            "scans": [scan(1), scan(2), scan(3), scan(4, state="injected")],
        }
    )
    content = biodistribution.uptake(rows)
    assert table(content, "SUVmean").missing == ((biodistribution.NO_SPHERE, 1),)
    assert (biodistribution.EARLIER, 1) in table(content, "SUVmax").missing
    # By organ: the third scan lacks both, the second the blood pool too.
    without = {row[0]: row[5] for row in table(content, "SUVmean").rows}
    assert without == {"Mediastinal blood pool": 2, "Liver": 1}


def test_a_figure_tells_each_organ_in_words_and_is_the_same_twice():
    rows = Rows({"organs": [sphere(1, 5.0), sphere(2, 3.0), sphere(1, 1.5, organ="blood_pool")]})
    (figure,) = biodistribution.uptake(rows).figures
    assert "Liver: 2 scans, median 4.00, 3.00 to 5.00" in figure.alternative
    assert svg(figure.drawing) == svg(figure.drawing)
