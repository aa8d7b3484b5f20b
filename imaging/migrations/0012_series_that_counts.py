import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

FRAME = """
select set_config('trialtrace.audit', json_build_object(
    'action', 'database.migrated', 'actor', id, 'actor_name', 'System',
    'reason', 'records of an earlier release')::text, true)
from trials_user where username = 'system'
"""
# Where there is one PET series it counts; of several the rule says when the scan is next judged.
FILL = """
update imaging_series as s
set counts = true, counting = 'Counts for this scan. It is the only PET series of this scan.'
from imaging_imagingstudy as one
where one.id = s.imaging_study_id and s.modality = 'PT' and s.assembly <> '{}' and not exists (
    select from imaging_series as other join imaging_imagingstudy as two
    on two.id = other.imaging_study_id
    where two.scheduled_scan_id = one.scheduled_scan_id and other.id <> s.id
    and other.modality = 'PT' and other.assembly <> '{}')
"""
SETTLE = "set constraints all immediate"


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0011_deidentification_proofs'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='series',
            name='counting',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='series',
            name='counts',
            field=models.BooleanField(default=False),
        ),
        migrations.RunSQL(
            [FRAME, FILL, SETTLE], reverse_sql=migrations.RunSQL.noop, elidable=False
        ),
        migrations.CreateModel(
            name='CountingDecision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('among', models.JSONField()),
                ('reason', models.CharField(max_length=400)),
                ('decided_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('decided_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                ('series', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='counting_decisions', to='imaging.series')),
            ],
            options={
                'ordering': ['series', '-decided_at', '-pk'],
            },
        ),
    ]
