"""A trial's definition as CDISC USDM v4.0 JSON, so that a protocol written here can leave.

USDM has a place for the design and the text of a criterion, and none for a rule that runs.
The rule goes into `extensionAttributes`, as canonical JSON, with gate, provenance and sources;
the whole definition goes along with the study version, so that nothing is lost. The one
mistake to fear is a value made up because USDM asks for one: what is not known is coded as
unknown (HL7 null flavour) or left out. Codes are NCI Thesaurus codes of the CDISC terminology.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from trials import canonical, spans
from trials.protocol import Definition, in_force, statement

Node = dict[str, Any]
USDM_VERSION = "4.0.0"
EXTENSION = "urn:trialtrace:usdm"
SYSTEM = "http://www.cdisc.org"
SYSTEM_VERSION = "2024-09-27"

NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
UNKNOWN = ("UNK", "unknown")
CATEGORY = {
    "inclusion": ("C25532", "Inclusion Criteria"),
    "exclusion": ("C25370", "Exclusion Criteria"),
}
PHASE = {
    "Early Phase 1": ("C54721", "Phase 0 Trial"),
    "Phase 1": ("C15600", "Phase I Trial"),
    "Phase 2": ("C15601", "Phase II Trial"),
    "Phase 3": ("C15602", "Phase III Trial"),
}
OBJECTIVE = {
    "primary": ("C85826", "Trial Primary Objective"),
    "secondary": ("C85827", "Trial Secondary Objective"),
    "exploratory": ("C163559", "Trial Exploratory Objective"),
}
ARM = {
    "experimental": ("C174266", "Investigational Arm"),
    "single": ("C174266", "Investigational Arm"),
    "active_comparator": ("C174267", "Active Comparator Arm"),
}
REGISTRIES = {"ClinicalTrials.gov", "CTIS", "EudraCT"}


def usdm(definition: Definition, *, version: str, system_version: str) -> Node:
    """The study of a definition; `system_version` names the software that wrote it."""
    return {
        "study": _Writer(definition, version).study(),
        "usdmVersion": USDM_VERSION,
        "systemName": "TrialTrace",
        "systemVersion": system_version,
    }


class _Writer:
    """Builds the tree, numbering each class from one, so that the same file gives the same ids."""

    def __init__(self, definition: Definition, version: str) -> None:
        self.of = definition
        self.version = version
        self.counted: Counter[str] = Counter()

    def study(self) -> Node:
        title = statement(self.of["title"])
        study = self._node(
            "Study",
            name=self.of["identifier"],
            label=statement(self.of["acronym"]) or None,
            description=title or None,
            versions=[self._version()],
            documentedBy=[],
        )
        # USDM asks for a UUID here; the same trial always has the same one.
        name = f"{EXTENSION}:{self.of['identifier']}"
        return study | {"id": str(uuid5(NAMESPACE_URL, name))}

    def _version(self) -> Node:
        organizations: list[Node] = []
        identifiers = self._identifiers(organizations)
        items = [self._item(one) for one in self.of["criteria"]]
        return self._node(
            "StudyVersion",
            versionIdentifier=self.version,
            rationale=self._amendment_summary(),
            studyIdentifiers=identifiers,
            titles=self._titles(),
            organizations=organizations,
            eligibilityCriterionItems=items,
            administrableProducts=[self._product(one) for one in self.of["tracers"]],
            studyDesigns=[self._design(items)],
            extensionAttributes=[
                self._extension("definition", canonical.text(dict(self.of))),
                *(
                    self._extension(key, statement(self.of[key]))
                    for key in ("sponsor", "status", "phase")
                    if self.of[key]
                ),
            ],
        )

    def _amendment_summary(self) -> str:
        amendment = self.of["amendment"]
        return str(amendment["summary"]) if amendment else "Not stated in the sources read."

    def _titles(self) -> list[Node]:
        found = []
        for key, code in (
            ("title", ("C207616", "Official Study Title")),
            ("acronym", ("C207646", "Study Acronym")),
        ):
            if self.of[key]:
                text = str(self.of[key]["text"])
                found.append(self._node("StudyTitle", text=text, type=self._code(code)))
        # USDM asks for an official title; what no source states is said to be so.
        if not self.of["title"]:
            text = f"{self.of['identifier']} (title not stated in the sources read)"
            official = self._code(("C207616", "Official Study Title"))
            found.append(self._node("StudyTitle", text=text, type=official))
        return found

    def _identifiers(self, organizations: list[Node]) -> list[Node]:
        """Registered names; what kind of organization another name comes from is not known."""
        registered = [one for one in self.of["identifiers"] if one["scheme"] in REGISTRIES]
        own = [{"scheme": "TrialTrace", "value": self.of["identifier"]}]
        found = []
        for one in registered or own:
            scope = self._organization(one["scheme"])
            organizations.append(scope)
            found.append(self._node("StudyIdentifier", text=one["value"], scopeId=scope["id"]))
        return found

    def _organization(self, name: str) -> Node:
        registry = ("C93453", "Study Registry")
        return self._node(
            "Organization",
            name=name,
            label=name,
            type=self._code(registry if name in REGISTRIES else UNKNOWN),
            identifierScheme="name",
            identifier=name,
            managedSites=[],
        )

    def _design(self, items: Sequence[Node]) -> Node:
        epochs = self._chain("StudyEpoch", self.of["epochs"], type=self._unknown)
        arms = [self._arm(one) for one in self.of["arms"]]
        elements = [
            self._node(
                "StudyElement", name=f"{arm['name']} {epoch['name']}", studyInterventionIds=[]
            )
            for arm in arms
            for epoch in epochs
        ]
        criteria = self._criteria(items)
        encounters = self._chain("Encounter", self.of["visits"], type=self._visit_type)
        return self._node(
            "InterventionalStudyDesign",
            name=f"{self.of['identifier']} design",
            description=statement(self.of["design"]) or None,
            rationale="Not stated in the sources read.",
            studyType=self._code(("C98388", "Interventional Study")),
            studyPhase=self._phase(),
            model=self._code(self._model()),
            arms=arms,
            epochs=epochs,
            elements=elements,
            studyCells=self._cells(arms, epochs, elements),
            encounters=encounters,
            activities=[],
            indications=self._indications(),
            objectives=[self._objective(one) for one in self.of["objectives"]],
            population=self._population(criteria),
            eligibilityCriteria=criteria,
            scheduleTimelines=self._timelines(encounters),
            extensionAttributes=[
                self._extension("planned_scans", canonical.text(self.of["planned_scans"])),
                self._extension("consent_versions", canonical.text(self.of["consent_versions"])),
            ],
        )

    def _phase(self) -> Node | None:
        stated = self.of["phase"]
        if stated is None or stated.get("conflict"):
            return None
        code = PHASE.get(stated["text"])
        return self._node("AliasCode", standardCode=self._code(code)) if code else None

    def _model(self) -> tuple[str, str]:
        design = statement(self.of["design"]).lower()
        if "cross-over" in design:
            return ("C82637", "Crossover Study")
        return ("C82640", "Single Group Study") if "single group" in design else UNKNOWN

    def _arm(self, arm: Mapping[str, Any]) -> Node:
        return self._node(
            "StudyArm",
            name=arm["identifier"],
            label=arm["label"],
            description=arm.get("note"),
            type=self._code(ARM.get(arm["role"], UNKNOWN)),
            dataOriginDescription="Data collected in the study",
            dataOriginType=self._code(("C188866", "Data Generated Within Study")),
            populationIds=[],
        )

    def _cells(
        self, arms: Sequence[Node], epochs: Sequence[Node], elements: Sequence[Node]
    ) -> list[Node]:
        pairs = [(arm, epoch) for arm in arms for epoch in epochs]
        return [
            self._node("StudyCell", armId=arm["id"], epochId=epoch["id"], elementIds=[one["id"]])
            for (arm, epoch), one in zip(pairs, elements, strict=True)
        ]

    def _indications(self) -> list[Node]:
        names = (self.of["conditions"] or {}).get("items", [])
        return [
            self._node("Indication", name=name, label=name, codes=[], isRareDisease=False)
            for name in names
        ]

    def _objective(self, objective: Mapping[str, Any]) -> Node:
        return self._node(
            "Objective",
            name=objective["identifier"],
            text=objective["text"],
            level=self._code(OBJECTIVE[objective["level"]]),
            endpoints=[],
            extensionAttributes=[self._sources(objective)],
        )

    def _population(self, criteria: Sequence[Node]) -> Node:
        planned = (self.of["enrolment"] or {}).get("planned")
        return self._node(
            "StudyDesignPopulation",
            name=f"{self.of['identifier']} population",
            includesHealthySubjects=False,
            plannedEnrollmentNumber=self._quantity(planned["value"]) if planned else None,
            plannedSex=[],
            criterionIds=[one["id"] for one in criteria],
            cohorts=[
                self._node(
                    "StudyCohort",
                    name=one["identifier"],
                    label=one["label"],
                    includesHealthySubjects=False,
                    plannedEnrollmentNumber=self._quantity(one["cap"]) if one["cap"] else None,
                    plannedSex=[],
                    criterionIds=[],
                    characteristics=[],
                    indicationIds=[],
                )
                for one in self.of["cohorts"]
            ],
        )

    def _quantity(self, value: float) -> Node:
        return self._node("Quantity", value=value)

    def _item(self, criterion: Mapping[str, Any]) -> Node:
        return self._node(
            "EligibilityCriterionItem",
            name=f"{criterion['identifier']} text",
            text=criterion["text"],
        )

    def _criteria(self, items: Sequence[Node]) -> list[Node]:
        found = [
            self._node(
                "EligibilityCriterion",
                name=one["identifier"],
                identifier=one["identifier"],
                label=one["text"],
                category=self._code(CATEGORY[one["category"]]),
                criterionItemId=item["id"],
                extensionAttributes=self._rule(one),
            )
            for one, item in zip(self.of["criteria"], items, strict=True)
        ]
        return _linked(found)

    def _rule(self, criterion: Mapping[str, Any]) -> list[Node]:
        """What USDM has no place for: the expression and all that goes with it."""
        kept = [self._extension("expression", canonical.text(criterion["expression"]))]
        if criterion.get("applies_to"):
            kept.append(self._extension("applies_to", canonical.text(criterion["applies_to"])))
        for key in ("gate", "provenance", "note"):
            if criterion.get(key):
                kept.append(self._extension(key, criterion[key]))
        if criterion.get("conflicts_with"):
            kept.append(self._extension("conflicts_with", ", ".join(criterion["conflicts_with"])))
        return [*kept, self._sources(criterion)]

    def _sources(self, stated: Mapping[str, Any]) -> Node:
        return self._extension("source", "; ".join(self.of["sources"][k] for k in stated["source"]))

    def _product(self, tracer: Mapping[str, Any]) -> Node:
        limits = {
            key: tracer.get(key) for key in ("radionuclide", "activity_mbq", "mbq_per_kg", "route")
        }
        dose_form = self._code(("C42945", "Injectable Solution Dosage Form"))
        return self._node(
            "AdministrableProduct",
            name=tracer["identifier"],
            label=tracer["name"],
            administrableDoseForm=self._node("AliasCode", standardCode=dose_form),
            productDesignation=self._code(("C202579", "Investigational Medicinal Product")),
            properties=[],
            identifiers=[],
            ingredients=[],
            extensionAttributes=[
                self._extension("tracer", canonical.text(limits)),
                self._sources(tracer),
            ],
        )

    def _timelines(self, encounters: Sequence[Node]) -> list[Node]:
        """One main timeline with an instance for each visit and its window where stated."""
        if not encounters:
            return []
        way_out = self._node("ScheduleTimelineExit")
        epochs = {
            one["identifier"]: f"StudyEpoch_{n}" for n, one in enumerate(self.of["epochs"], 1)
        }
        instances = [
            self._node(
                "ScheduledActivityInstance",
                name=encounter["name"],
                encounterId=encounter["id"],
                activityIds=[],
                epochId=epochs.get(visit.get("epoch", "")),
            )
            for encounter, visit in zip(encounters, self.of["visits"], strict=True)
        ]
        for one, following in pairwise(instances):
            one["defaultConditionId"] = following["id"]
        instances[-1]["timelineExitId"] = way_out["id"]
        return [
            self._node(
                "ScheduleTimeline",
                name="Visits",
                mainTimeline=True,
                entryCondition="The patient is enrolled",
                entryId=instances[0]["id"],
                exits=[way_out],
                instances=instances,
                timings=self._timings(instances),
            )
        ]

    def _timings(self, instances: Sequence[Node]) -> list[Node]:
        """Windows of visits; one that no source states has no timing, and is not guessed."""
        by_visit = {
            one["identifier"]: instance
            for one, instance in zip(self.of["visits"], instances, strict=True)
        }
        found = []
        for visit in self.of["visits"]:
            target = visit["target"] or visit["latest"] or visit["earliest"]
            if target and in_force(visit):
                found.append(self._timing(visit, target, by_visit))
        return found

    def _timing(self, visit: Mapping[str, Any], target: str, by_visit: Mapping[str, Node]) -> Node:
        anchor = str(visit["anchor"])
        other = by_visit.get(anchor.removeprefix("visit."))
        is_before = target.startswith("-")
        code = ("C201357", "Before") if is_before else ("C201356", "After")
        own = by_visit[visit["identifier"]]
        reference = other or own
        if other is None:
            code = ("C201358", "Fixed Reference")
        return self._node(
            "Timing",
            name=visit["identifier"],
            label=f"{visit['label']}: {target} from {anchor}",
            type=self._code(code),
            value=_unsigned(target),
            valueLabel=_unsigned(target),
            relativeToFrom=self._code(("C201355", "Start to Start")),
            relativeFromScheduledInstanceId=own["id"],
            relativeToScheduledInstanceId=reference["id"],
            # A timing that stands for an anchor outside the visits has no window in USDM.
            windowLower=_distance(visit["earliest"], target) if other else None,
            windowUpper=_distance(visit["latest"], target) if other else None,
            windowLabel=f"{visit['earliest'] or '…'} to {visit['latest'] or '…'} from {anchor}",
            extensionAttributes=[
                self._extension("anchor", anchor),
                *(
                    self._extension(key, visit[key])
                    for key in ("earliest", "target", "latest")
                    if visit[key]
                ),
            ],
        )

    def _chain(self, kind: str, rows: Sequence[Mapping[str, Any]], *, type: Any) -> list[Node]:
        return _linked(
            [
                self._node(
                    kind,
                    name=one["identifier"],
                    label=one["label"],
                    description=one.get("note"),
                    type=type(),
                    extensionAttributes=[self._sources(one)],
                )
                for one in rows
            ]
        )

    def _unknown(self) -> Node:
        return self._code(UNKNOWN)

    def _visit_type(self) -> Node:
        return self._code(("C25716", "Visit"))

    def _code(self, code: tuple[str, str]) -> Node:
        return self._node(
            "Code",
            code=code[0],
            codeSystem=NULL_FLAVOR if code == UNKNOWN else SYSTEM,
            codeSystemVersion="3.0.0" if code == UNKNOWN else SYSTEM_VERSION,
            decode=code[1],
        )

    def _extension(self, name: str, value: str) -> Node:
        return self._node("ExtensionAttribute", url=f"{EXTENSION}:{name}", valueString=value)

    def _node(self, kind: str, **fields: Any) -> Node:
        self.counted[kind] += 1
        kept = {key: value for key, value in fields.items() if value is not None}
        return {"id": f"{kind}_{self.counted[kind]}", **kept, "instanceType": kind}


def _linked(nodes: list[Node]) -> list[Node]:
    for one, following in pairwise(nodes):
        one["nextId"], following["previousId"] = following["id"], one["id"]
    return nodes


def _unsigned(duration: str) -> str:
    return duration.lstrip("+-")


def _distance(end: str | None, target: str) -> str | None:
    """How far an end of a window lies from its target, where both are in one unit.

    >>> _distance("P4W", "P6W"), _distance("P8W", "P6W"), _distance(None, "P3D")
    ('P2W', 'P2W', None)
    """
    if end is None:
        return None
    parts = [spans.DURATION.fullmatch(one) for one in (end, target)]
    if any(part is None for part in parts):
        return None
    units = [{u: int(m[u] or 0) for u in spans.UNITS} for m in parts if m]
    named = {unit for counts in units for unit, count in counts.items() if count}
    if len(named) > 1:
        return None
    unit = named.pop() if named else "days"
    values = [
        (-1 if one.startswith("-") else 1) * counts[unit]
        for one, counts in zip((end, target), units, strict=True)
    ]
    distance = abs(values[0] - values[1])
    clock = unit in {"hours", "minutes", "seconds"}
    return f"P{'T' if clock else ''}{distance}{unit[0].upper()}"
