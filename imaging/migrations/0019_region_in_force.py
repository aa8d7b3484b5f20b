"""Of each kind one reference region is in force, and a ratio says of what it is.

Of several regions of a kind in one run, the one placed last is in force: it is the one whose ratio
pages and exports of an earlier release named last. The trail records this as an act of the system.
On an empty database there is no such row.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

KINDS = [
    ("blood_pool", "Mediastinal blood pool"),
    ("liver", "Liver"),
    ("spleen", "Spleen"),
    ("bone_marrow", "Bone marrow"),
    ("muscle", "Muscle"),
    ("kidney_left", "Left kidney"),
    ("kidney_right", "Right kidney"),
    ("adrenal_left", "Left adrenal"),
    ("adrenal_right", "Right adrenal"),
]
STATUSES = [
    ("proposed", "Proposed, not yet accepted by a reader"),
    ("accepted", "Proposed, accepted by a reader"),
    ("placed", "Placed by a reader"),
]
FRAME = """
select set_config('trialtrace.audit', json_build_object(
    'action', 'database.migrated', 'actor', id, 'actor_name', 'System',
    'reason', 'records of an earlier release')::text, true)
from trials_user where username = 'system'
"""
REPLACED = """
update imaging_referenceregion as old
set replaced_at = later.placed_at
from (
    select id, lead(placed_at) over (partition by quantification_id, kind order by id) as placed_at
    from imaging_referenceregion
) as later
where later.id = old.id and later.placed_at is not null
"""
RATIOS = """
update imaging_lesionratio as ratio
set tbr_peak = lesion.suvpeak / region.suvmean, tbr_mean = lesion.suvmean / region.suvmean
from imaging_lesion lesion, imaging_referenceregion region
where lesion.id = ratio.lesion_id and region.id = ratio.region_id
"""
# Deferred checks of the rows just filled would stand in the way of altering their table.
SETTLE = "set constraints all immediate"


class Migration(migrations.Migration):
    dependencies = [
        ("imaging", "0018_dicom_object"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AlterField(
            "referenceregion", "kind", models.CharField(choices=KINDS, max_length=20)
        ),
        migrations.AlterField(
            "referenceregion", "status", models.CharField(choices=STATUSES, max_length=10)
        ),
        migrations.AddField("referenceregion", "suvmax", models.FloatField(blank=True, null=True)),
        migrations.AddField("referenceregion", "suvpeak", models.FloatField(blank=True, null=True)),
        migrations.AddField(
            "referenceregion", "suvpeak_definition", models.CharField(blank=True, max_length=30)
        ),
        migrations.AddField(
            "referenceregion",
            "accepted_by",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            "referenceregion", "accepted_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "referenceregion", "replaced_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField("lesionratio", "tbr_peak", models.FloatField(null=True)),
        migrations.AddField("lesionratio", "tbr_mean", models.FloatField(null=True)),
        migrations.RunSQL(
            [FRAME, REPLACED, RATIOS, SETTLE],
            reverse_sql=migrations.RunSQL.noop,
            elidable=False,
        ),
        migrations.AlterField("lesionratio", "tbr_peak", models.FloatField()),
        migrations.AlterField("lesionratio", "tbr_mean", models.FloatField()),
        migrations.AddConstraint(
            "referenceregion",
            models.UniqueConstraint(
                condition=Q(replaced_at=None),
                fields=["quantification", "kind"],
                name="one_region_in_force",
            ),
        ),
        migrations.AddConstraint(
            "referenceregion",
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=False, accepted_by__isnull=False, status="accepted")
                | (~Q(status="accepted") & Q(accepted_at=None, accepted_by=None)),
                name="accepted_region_says_by_whom",
            ),
        ),
    ]
