
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

# Jobs ordered before they said where they belong: those whose role reaches it see them too.
PLACED = """
update trials_job set trial_id = trials_site.trial_id, site_id = trials_site.id
from ({}) as placed(kind, row, site) join trials_site on trials_site.id = placed.site
where trials_job.arguments ->> placed.kind = placed.row::text
"""
PATIENTS = "select 'patient', id, site_id from trials_patient"
TRANSMITTALS = "select 'transmittal', id, site_id from imaging_transmittal"
SERIES = """
select 'series', imaging_series.id, trials_patient.site_id
from imaging_series
join imaging_imagingstudy on imaging_imagingstudy.id = imaging_series.imaging_study_id
join trials_scheduledscan on trials_scheduledscan.id = imaging_imagingstudy.scheduled_scan_id
join trials_patient on trials_patient.id = trials_scheduledscan.patient_id
"""


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0012_series_that_counts'),
        ('trials', '0015_machines_and_jobs'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RunSQL(
            [PLACED.format(rows) for rows in (PATIENTS, TRANSMITTALS, SERIES)],
            migrations.RunSQL.noop,
        ),
        migrations.CreateModel(
            name='AlarmMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject_table', models.CharField(max_length=63)),
                ('subject_pk', models.BigIntegerField()),
                ('on', models.DateField()),
                ('sent_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.UniqueConstraint(fields=('user', 'subject_table', 'subject_pk', 'on'), name='told_once_a_day')],
            },
        ),
    ]
