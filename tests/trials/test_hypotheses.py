"""Hypotheses of a trial file: refused by name, told in words, never given a default."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.urls import reverse

from tests import factories
from trials import hypotheses, protocol
from trials.roles import Role
from trials.services import jobs, protocols

DEFINITIONS = Path(protocols.SCHEMA).parent / "definitions"
DEMO = (DEFINITIONS / "demo.yaml").read_text()
SPECIFICITY = (
    "kind: non_inferiority, measure: specificity, level: region, first: ptf, second: fdg, "
    "margin: 0.1, alpha: 0.025"
)
POSITIVITY = (
    "kind: superiority, measure: positivity, level: patient, first: ptf, second: fdg, alpha: 0.05, "
    "variant: mid-P"
)


def parsed(text):
    return protocol.parse(text, schema=json.loads(Path(protocols.SCHEMA).read_text()))


def errors(text):
    with pytest.raises(protocol.ProtocolError) as caught:
        parsed(text)
    return caught.value.errors


def changed(old, new):
    assert DEMO.count(old) == 1
    return DEMO.replace(old, new)


def test_a_file_with_hypotheses_goes_there_and_back():
    found = parsed(DEMO)
    assert [one["identifier"] for one in found["hypotheses"]["tests"]] == ["H1", "H2", "H3"]
    assert protocol.digest(parsed(protocol.dump(found))) == protocol.digest(found)


def test_another_margin_is_another_protocol_and_is_said():
    old, new = parsed(DEMO), parsed(changed("margin: 0.1,", "margin: 0.05,"))
    assert protocol.digest(old) != protocol.digest(new)
    (sentence,) = [one for one in protocol.difference(old, new) if "hypotheses" in one]
    assert "0.05" in sentence


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (SPECIFICITY, SPECIFICITY.replace("first: ptf", "first: none"),
         "tests[1].first: expected one of ['ptf', 'fdg'], got 'none'."),
        (SPECIFICITY, SPECIFICITY.replace("second: fdg", "second: ptf"),
         "tests[1].second: ptf can't be held to itself."),
        (SPECIFICITY, SPECIFICITY.replace("margin: 0.1, ", ""),
         "tests[1]: a non-inferiority needs its margin; null is not stated."),
        (SPECIFICITY, SPECIFICITY + ", variant: exact",
         "tests[1].variant: a non-inferiority has no variant of McNemar's test."),
        (POSITIVITY, POSITIVITY + ", margin: 0.2",
         "tests[2].margin: a superiority has no margin."),
        (POSITIVITY, POSITIVITY.replace("mid-P", "Obuchowski"),
         "tests[2].variant: expected one of ['exact', 'mid-P', 'continuity-corrected', "
         "'uncorrected'] per patient, got 'Obuchowski'."),
        (POSITIVITY, POSITIVITY.replace("level: patient", "level: lesion"),
         "tests[2].level: positivity is of patients."),
        (POSITIVITY, POSITIVITY + ", population: SCANPP", "got 'SCANPP'."),
        ("identifier: H3", "identifier: H2", "tests[2].identifier: H2 is there already."),
        ("objective: P1, kind: superiority, measure: positivity",
         "objective: P9, kind: superiority, measure: positivity",
         "tests[2].objective: expected one of ['P1'], got 'P9'."),
        ("  - {form: truth_of_lesion}\n", "",
         "tests[0].measure: sensitivity per region needs the form truth_of_lesion."),
    ],
)  # fmt: skip
def test_what_can_not_be_tested_is_refused_by_name(old, new, sentence):
    assert any(sentence in one for one in errors(changed(old, new)))


@pytest.mark.parametrize("margin", ["0", "1", "-0.1", "10"])
def test_a_margin_is_a_share_of_one(margin):
    assert any("margin" in one for one in errors(changed("margin: 0.1,", f"margin: {margin},")))


def test_what_is_not_stated_is_named():
    lymfor = parsed((DEFINITIONS / "NCT06125028.yaml").read_text())["hypotheses"]
    assert lymfor["order"] == "hierarchical"
    better, no_worse = lymfor["tests"]
    assert hypotheses.not_stated(better) == ["level of significance", "variant of McNemar's test"]
    assert hypotheses.not_stated(no_worse) == ["margin", "level of significance"]


@pytest.mark.django_db
def test_the_page_of_a_trial_says_what_is_to_be_shown(client):
    proposed = changed(POSITIVITY, POSITIVITY + ", provenance: proposed")
    version = protocols.load_trial(proposed, by=jobs.system_user()).version
    client.force_login(factories.make_user(Role.STATISTICIAN, trial=version.trial))
    page = client.get(reverse("trial", args=[version.trial.identifier])).content.decode()
    for words in (
        "In the order in which they stand: after one that is not shown none is tested.",
        "Sensitivity per region: Pentixafor PET/CT is better than FDG PET/CT.",
        "By McNemar&#x27;s, Obuchowski, at 0.05 two-sided.",
        "Specificity per region: Pentixafor PET/CT is no worse than FDG PET/CT by 10 points or",
        "By Wald&#x27;s over patients, at 0.025 one-sided.",
        "It is not decided until then.",
    ):
        assert words in page


@pytest.mark.django_db
def test_the_page_names_what_a_protocol_leaves_open(client):
    text = (DEFINITIONS / "NCT06125028.yaml").read_text()
    version = protocols.load_trial(text, by=jobs.system_user()).version
    client.force_login(factories.make_user(Role.STATISTICIAN, trial=version.trial))
    page = client.get(reverse("trial", args=[version.trial.identifier])).content.decode()
    assert "Not stated: margin, level of significance" in page
    assert "no worse than FDG PET/CT by a margin that is not stated" in page
