"""The shapes of the imaging part of the API. A reading shows a measurement and nothing else."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from imaging import models
from imaging.services import partial_uploads
from trials.api.fields import Key, Line

Rows = serializers.ModelSerializer
SHA256 = r"^[0-9a-f]{64}$"
MAXIMUM_DIGESTS = 10_000
PEAK_VOXELS = "Voxels in the sphere of SUVpeak; where it is 1, SUVpeak is SUVmax."
PEAK_NOTE = "What is to be said of SUVpeak where voxels are larger than its sphere; else empty."


class CurrentJob(serializers.Serializer):
    """How far the work on a transmittal is."""

    state = serializers.CharField()
    progress = serializers.CharField()
    error = serializers.CharField()


class Identity(serializers.Serializer):
    """One fact of the headers, against the record."""

    label = serializers.CharField()
    finding = serializers.CharField(help_text="agrees, differs or not checkable.")
    sentence = serializers.CharField()


class Transmittal(Rows):
    scan = serializers.IntegerField(
        source="scheduled_scan_id",
        allow_null=True,
        help_text="Null as long as nobody has said which scan the images are of.",
    )
    patient_identifier = serializers.CharField(
        source="scheduled_scan.patient.identifier", allow_null=True
    )
    site = serializers.CharField(source="site.code")
    sent_by = serializers.StringRelatedField()
    files = serializers.DictField(
        source="standing.files",
        child=serializers.IntegerField(),
        help_text="How many files stand in which state.",
    )
    job = CurrentJob(source="standing.job", allow_null=True)
    identity = Identity(many=True, help_text="Empty until inspected for a scan.")
    series = serializers.ListField(
        source="standing.series",
        child=serializers.IntegerField(),
        help_text="Primary keys of what was released.",
    )

    class Meta:
        model = models.Transmittal
        fields = [
            "id",
            "site",
            "scan",
            "patient_identifier",
            "state",
            "code",
            "message",
            "sent_by",
            "source",
            "sender",
            "is_deidentified_at_source",
            "identity",
            "opened_at",
            "completed_at",
            "moved_at",
            "files",
            "job",
            "series",
        ]


class Digests(serializers.Serializer):
    sha256s = serializers.ListField(
        child=serializers.RegexField(SHA256),
        max_length=MAXIMUM_DIGESTS,
        help_text="SHA-256 of each file, lower-case hexadecimal.",
    )


class Missing(serializers.Serializer):
    missing = serializers.ListField(
        child=serializers.CharField(), help_text="Those not known for the scan yet, in order."
    )
    held = serializers.IntegerField(help_text="How many files the transmittal holds now.")


class Files(serializers.Serializer):
    files = serializers.ListField(
        child=serializers.FileField(allow_empty_file=True),
        allow_empty=False,
        help_text="Up to 200 files; their names are not kept.",
    )


class Received(serializers.Serializer):
    received = serializers.IntegerField(help_text="How many of these files are held now.")


class File(Rows):
    """A file as the sender finds it again: by its digest."""

    archive = serializers.CharField(
        source="archive.sha256",
        default=None,
        allow_null=True,
        help_text="SHA-256 of the archive that it was taken out of; null if it was sent by itself.",
    )

    class Meta:
        model = models.ReceivedFile
        fields = ["position", "sha256", "size", "state", "code", "message", "archive"]


class OpenPartialUpload(serializers.Serializer):
    sha256 = serializers.RegexField(
        SHA256, help_text="SHA-256 of the whole file, lower-case hexadecimal."
    )
    size = serializers.IntegerField(min_value=1, help_text="Bytes of the whole file.")


class PartialUpload(Rows):
    """A large file on its way; `offset` is how much of it is on disk."""

    offset = serializers.SerializerMethodField(help_text="Bytes that are on disk: go on from here.")

    class Meta:
        model = models.PartialUpload
        fields = ["id", "transmittal", "sha256", "size", "state", "offset"]

    def get_offset(self, row: models.PartialUpload) -> int:
        return partial_uploads.held(row)


class PieceFilter(serializers.Serializer):
    offset = serializers.IntegerField(min_value=0, help_text="Where in the file the piece begins.")


class Decide(serializers.Serializer):
    release = serializers.BooleanField(help_text="true: the images belong to this scan.")
    reason = Line(max_length=200)


class Open(serializers.Serializer):
    is_deidentified_at_source = serializers.BooleanField(
        default=False,
        help_text="true: identities and dates were taken out before, and are not checkable here.",
    )


class ReportIncident(serializers.Serializer):
    text = Line(max_length=1000, help_text="What is known, without naming anybody.")


class JudgeIncident(serializers.Serializer):
    notification = serializers.ChoiceField(choices=["none", "authority", "persons"])
    basis = Line(max_length=1000)
    notified_on = serializers.DateField(required=False, allow_null=True)


class CloseIncident(serializers.Serializer):
    measures = Line(max_length=1000)


class Incident(Rows):
    """Images of another person that reached a trial."""

    site = serializers.CharField(source="site.code")
    found_by = serializers.StringRelatedField()
    judged_by = serializers.StringRelatedField()
    closed_by = serializers.StringRelatedField()

    class Meta:
        model = models.PrivacyIncident
        fields = [
            "id",
            "site",
            "transmittal",
            "code",
            "text",
            "state",
            "found_by",
            "found_at",
            "notification",
            "basis",
            "notified_on",
            "judged_by",
            "judged_at",
            "closed_by",
            "closed_at",
            "measures",
        ]


class Assign(serializers.Serializer):
    scan = serializers.IntegerField(help_text="Primary key of the scheduled scan.")
    reason = Line(
        max_length=200, required=False, help_text="Needed where the images had a scan before."
    )


class Ratio(Rows):
    kind = serializers.CharField(source="region.kind")
    status = serializers.CharField(source="region.status")
    tbr = serializers.FloatField(help_text="SUVmax of the lesion over SUVmean of the region.")
    tbr_peak = serializers.FloatField(help_text="SUVpeak of the lesion over SUVmean of the region.")
    tbr_mean = serializers.FloatField(help_text="SUVmean of the lesion over SUVmean of the region.")

    class Meta:
        model = models.LesionRatio
        fields = ["region", "kind", "status", "tbr", "tbr_peak", "tbr_mean"]


class Positivity(Rows):
    value = serializers.FloatField(help_text="SUVmax or SUVpeak of the lesion, g/mL")
    threshold = serializers.FloatField(help_text="To be exceeded, g/mL")

    class Meta:
        model = models.LesionPositivity
        fields = ["region", "rule", "is_positive", "value", "threshold", "why"]


class Lesion(Rows):
    suvmax = serializers.FloatField(help_text="g/mL")
    suvmean = serializers.FloatField(help_text="g/mL")
    suvpeak = serializers.FloatField(help_text="g/mL")
    volume_ml = serializers.FloatField(help_text="mL")
    total_uptake = serializers.FloatField(help_text="SUVmean times volume, g")
    suvmax_voxel = serializers.ListField(
        child=serializers.IntegerField(), help_text="Plane, row, column of the hottest voxel."
    )
    centroid_mm = serializers.ListField(
        child=serializers.FloatField(), help_text="In the patient's frame (LPS), mm."
    )
    extent_mm = serializers.ListField(
        child=serializers.FloatField(),
        allow_null=True,
        help_text="Along planes, rows and columns; none in what an earlier release measured.",
    )
    drawing = serializers.IntegerField(
        source="drawing.series_id",
        allow_null=True,
        default=None,
        help_text="The series of the structure set or segmentation that it was drawn in.",
    )
    region_number = serializers.IntegerField(
        allow_null=True, help_text="Its ROI Number or Segment Number there."
    )
    ratios = Ratio(many=True)
    positivities = Positivity(
        many=True,
        help_text="By computation, against a region that a reader stands for; none where no rule "
        "is stated or no such region is there: not checkable.",
    )

    class Meta:
        model = models.Lesion
        fields = [
            "id",
            "number",
            "suvmax",
            "suvmean",
            "suvpeak",
            "suvpeak_definition",
            "volume_ml",
            "total_uptake",
            "voxel_count",
            "suvmax_voxel",
            "centroid_mm",
            "has_partial_volume",
            "extent_mm",
            "peak_leaves_image",
            "drawing",
            "region_number",
            "region_label",
            "ratios",
            "positivities",
        ]


class Region(Rows):
    centre_mm = serializers.ListField(
        child=serializers.FloatField(), help_text="In the patient's frame (LPS), mm."
    )
    radius_mm = serializers.FloatField(allow_null=True, help_text="mm; none of a mirror image")
    lesion = serializers.IntegerField(
        source="lesion_id",
        allow_null=True,
        help_text="The lesion that it is the mirror image of; none of a sphere.",
    )
    plane = serializers.DictField(
        allow_null=True,
        help_text="Mirror plane: point_mm (LPS), normal, correlation of the two sides, definition.",
    )
    suvmean = serializers.FloatField(help_text="g/mL")
    suv_sd = serializers.FloatField(help_text="g/mL")
    cv = serializers.FloatField(help_text="Standard deviation over mean.")
    suvmax = serializers.FloatField(allow_null=True, help_text="g/mL")
    suvpeak = serializers.FloatField(allow_null=True, help_text="g/mL")

    class Meta:
        model = models.ReferenceRegion
        fields = [
            "id",
            "kind",
            "status",
            "centre_mm",
            "radius_mm",
            "lesion",
            "plane",
            "voxel_count",
            "suvmean",
            "suv_sd",
            "cv",
            "suvmax",
            "suvpeak",
            "suvpeak_definition",
            "volume_ml",
            "uptake_minutes",
        ]


class PlaceRegion(serializers.Serializer):
    kind = Line(max_length=20, help_text=", ".join(models.ReferenceRegion.Kind.values))
    centre_mm = serializers.ListField(
        child=serializers.FloatField(), min_length=3, max_length=3, help_text="x, y, z in mm (LPS)."
    )
    radius_mm = serializers.FloatField(
        default=None,
        allow_null=True,
        help_text="3 to 30 mm; without one 15 in the liver, 10 in muscle, 7 in the blood pool, "
        "8 elsewhere.",
    )


class Picture(Rows):
    class Meta:
        model = models.Picture
        fields = ["id", "kind"]


class Quantification(Rows):
    flags = serializers.ListField(child=serializers.CharField())
    suvbw_factor = serializers.FloatField(
        allow_null=True, help_text="SUVbw of a stored value of 1 Bq/mL, g/Bq."
    )
    suvmax = serializers.FloatField(allow_null=True, help_text="Of the whole series, g/mL.")
    uptake_minutes = serializers.FloatField(allow_null=True, help_text="min")
    peak_voxels = serializers.IntegerField(allow_null=True, help_text=PEAK_VOXELS)
    peak_note = serializers.CharField(help_text=PEAK_NOTE)
    lesions = Lesion(many=True)
    reference_regions = Region(many=True)
    pictures = Picture(many=True)

    class Meta:
        model = models.Quantification
        fields = [
            "id",
            "run",
            "status",
            "code",
            "message",
            "flags",
            "suvbw_factor",
            "suvmax",
            "uptake_minutes",
            "peak_voxels",
            "peak_note",
            "parameters",
            "input_sha256",
            "software_version",
            "lesions",
            "reference_regions",
            "pictures",
        ]


class Decision(Rows):
    """That the candidate of a series holds, for the images it was found on."""

    class Meta:
        model = models.SuvDecision
        fields = ["id", "series", "code", "input_sha256", "reason", "decided_at"]


class CountingDecision(Rows):
    """That a series counts for its scan, among those that could."""

    class Meta:
        model = models.CountingDecision
        fields = ["id", "series", "among", "reason", "decided_at"]


class Finding(Rows):
    """What a series does not conform in; `override_reason` if a person let it pass."""

    class Meta:
        model = models.ConformanceFinding
        fields = ["id", "rule", "severity", "text", "values", "population", "override_reason"]


class Proof(Rows):
    """One proof that a series is what it was and names nobody, made before its release."""

    class Meta:
        model = models.DeidentificationProof
        fields = [
            "transmittal",
            "kind",
            "is_held",
            "detail",
            "table_version",
            "software_version",
            "made_at",
        ]


class Series(Rows):
    proofs = Proof(many=True)
    findings = serializers.SerializerMethodField()
    scan = serializers.IntegerField(source="imaging_study.scheduled_scan_id")
    counts = serializers.BooleanField(
        help_text="Whether it is the PET series that stands for its scan; `counting` says why."
    )
    quantification = serializers.SerializerMethodField()

    class Meta:
        model = models.Series
        fields = [
            "id",
            "reading_identifier",
            "scan",
            "transmittal",
            "modality",
            "state",
            "code",
            "message",
            "assembly",
            "counts",
            "counting",
            "proofs",
            "findings",
            "quantification",
        ]

    @extend_schema_field(Finding(many=True))
    def get_findings(self, row: models.Series) -> list:
        return Finding([one for one in row.findings.all() if one.is_current], many=True).data

    @extend_schema_field(Quantification(allow_null=True))
    def get_quantification(self, row: models.Series) -> dict | None:
        """The current run; null if there is none, or if the user's role shows no numbers."""
        user = self.context["request"].user
        if not row.current or not user.may_for("quantification.view", row.scope()):
            return None
        return Quantification(row.current[0]).data


class Reading(Rows):
    """A series as its blinded reader knows it."""

    counts = serializers.BooleanField(
        help_text="Whether it is the one of its scan that is read; any other was measured alone."
    )
    quantification = serializers.SerializerMethodField()

    class Meta:
        model = models.Series
        fields = ["reading_identifier", "counts", "quantification"]

    @extend_schema_field(Quantification(allow_null=True))
    def get_quantification(self, row: models.Series) -> dict | None:
        return Quantification(row.current[0]).data if row.current else None


class Node(serializers.Serializer):
    """One value in a derivation, where it comes from, and what it was computed from."""

    label = serializers.CharField()
    value = serializers.JSONField(allow_null=True)
    unit = serializers.CharField()
    source = serializers.CharField()
    formula = serializers.CharField(
        allow_blank=True, help_text="How it follows from its inputs, with the values put in."
    )
    address = serializers.CharField(allow_blank=True, help_text="The page of the row it is from.")
    inputs = serializers.ListField(child=serializers.DictField(), help_text="Nodes again.")


class TransmittalFilter(serializers.Serializer):
    scan = Key(required=False)
    state = serializers.ChoiceField(required=False, choices=models.Transmittal.State.choices)


class SeriesFilter(serializers.Serializer):
    scan = Key(required=False)
