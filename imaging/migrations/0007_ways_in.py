"""A transmittal names its site, and how it came; what came so far came for a scan, by a browser.

It stands since its last act, as far as that is known. The trail records this as an act of the
system. On an empty database there is no such row.
"""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

FRAME = """
select set_config('trialtrace.audit', json_build_object(
    'action', 'database.migrated', 'actor', id, 'actor_name', 'System',
    'reason', 'records of an earlier release')::text, true)
from trials_user where username = 'system'
"""
FILL = """
update imaging_transmittal as t
set site_id = p.site_id, moved_at = coalesce(t.completed_at, t.opened_at)
from trials_scheduledscan s join trials_patient p on p.id = s.patient_id
where s.id = t.scheduled_scan_id
"""
# Deferred checks of the rows just filled would stand in the way of altering their table.
SETTLE = "set constraints all immediate"

SITE = {
    "on_delete": django.db.models.deletion.PROTECT,
    "related_name": "transmittals",
    "to": "trials.site",
}


class Migration(migrations.Migration):
    dependencies = [("imaging", "0006_decisions"), ("trials", "0011_header_statement")]

    operations = [
        migrations.AddField("transmittal", "site", models.ForeignKey(null=True, **SITE)),
        migrations.AddField(
            "transmittal", "moved_at", models.DateTimeField(default=django.utils.timezone.now)
        ),
        migrations.RunSQL(
            [FRAME, FILL, SETTLE], reverse_sql=migrations.RunSQL.noop, elidable=False
        ),
        migrations.AlterField("transmittal", "site", models.ForeignKey(**SITE)),
        migrations.AlterField(
            "transmittal",
            "scheduled_scan",
            models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="transmittals",
                to="trials.scheduledscan",
            ),
        ),
        migrations.AddField(
            "transmittal",
            "source",
            models.CharField(
                choices=[
                    ("browser", "Browser"),
                    ("stow", "DICOMweb STOW-RS"),
                    ("store", "DICOM C-STORE"),
                    ("folder", "folder on the server"),
                ],
                default="browser",
                max_length=10,
            ),
        ),
        migrations.AddField(
            "transmittal", "sender", models.CharField(blank=True, max_length=64)
        ),
        migrations.AddField(
            "transmittal", "is_deidentified_at_source", models.BooleanField(default=False)
        ),
        migrations.AddField("receivedfile", "facts", models.JSONField(default=dict)),
        migrations.AddField(
            "instance", "transfer_syntax", models.CharField(blank=True, max_length=64)
        ),
        migrations.AddField(
            "instance", "pixel_offset", models.PositiveBigIntegerField(blank=True, null=True)
        ),
        migrations.AddField(
            "instance", "pixel_length", models.PositiveBigIntegerField(blank=True, null=True)
        ),
    ]
