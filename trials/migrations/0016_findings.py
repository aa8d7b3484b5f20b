
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0015_machines_and_jobs'),
    ]

    operations = [
        migrations.AlterField(
            model_name='signature',
            name='meaning',
            field=models.CharField(choices=[('eligibility', 'I have reviewed the evidence and confirm this verdict'), ('delegation', 'I delegate this duty and answer for it'), ('deviation', 'I know of this deviation and answer for it'), ('read', 'I have read these images and confirm these findings')], max_length=20),
        ),
        migrations.CreateModel(
            name='Finding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('test', models.CharField(choices=[('LESNUM', 'Number of lesions'), ('SUVMAX', 'SUVmax'), ('SUVMEAN', 'SUVmean'), ('SUVPEAK', 'SUVpeak'), ('VOLUME', 'Volume'), ('UPTAKE', 'Total uptake'), ('DMAX', 'Largest distance between two lesions'), ('VISPOS', 'Visual positivity')], max_length=10)),
                ('lesion_number', models.PositiveIntegerField(null=True)),
                ('location', models.CharField(blank=True, max_length=40)),
                ('number', models.FloatField(null=True)),
                ('text', models.CharField(blank=True, max_length=40)),
                ('unit', models.CharField(blank=True, max_length=20)),
                ('method', models.CharField(blank=True, max_length=60)),
                ('source_table', models.CharField(max_length=63)),
                ('source_pk', models.BigIntegerField()),
                ('subject_table', models.CharField(max_length=63)),
                ('subject_pk', models.BigIntegerField()),
                ('run', models.PositiveIntegerField()),
                ('software_version', models.CharField(max_length=40)),
                ('found_at', models.DateTimeField()),
                ('superseded_at', models.DateTimeField(null=True)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('evaluator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='findings', to=settings.AUTH_USER_MODEL)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='findings', to='trials.patient')),
                ('scheduled_scan', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='findings', to='trials.scheduledscan')),
            ],
            options={
                'ordering': ['scheduled_scan', 'source_pk', 'pk'],
                'indexes': [models.Index(fields=['source_table', 'source_pk'], name='finding_source')],
                'constraints': [models.UniqueConstraint(fields=('source_table', 'source_pk', 'test', 'lesion_number'), name='read_finds_once', nulls_distinct=False), models.CheckConstraint(condition=models.Q(models.Q(('number__isnull', False), ('text', '')), models.Q(('number', None), models.Q(('text', ''), _negated=True)), _connector='OR'), name='finding_is_number_or_text')],
            },
        ),
    ]
