"""The tables of reporting as they are after 0015, at once, for a database that has none of them.

A database with some of the migrations named in `replaces` goes on with those; what they did to
records of earlier releases has nothing to do here.
"""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from trials.migrations._creation import CreateModels


class Migration(migrations.Migration):

    replaces = [
        ('reporting', '0001_initial'),
        ('reporting', '0002_initial'),
        ('reporting', '0003_export_download'),
        ('reporting', '0004_jobs_of_exports'),
        ('reporting', '0005_printed_sheets'),
        ('reporting', '0006_export_formats'),
        ('reporting', '0007_population_reviews'),
        ('reporting', '0008_export_privacy'),
        ('reporting', '0009_report_downloads'),
        ('reporting', '0010_export_rebuilds'),
        ('reporting', '0011_unblinded_exports'),
        ('reporting', '0012_export_cut_off'),
        ('reporting', '0013_export_cancelled'),
        ('reporting', '0014_earlier_points_and_abandoned_reviews'),
        ('reporting', '0015_export_signatures'),
    ]

    initial = True

    dependencies = [
        ('trials', '0001_squashed_0034_retests'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreateModels(
            models=[
                migrations.CreateModel(
                    name='Export',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('state', models.CharField(choices=[('waiting', 'Waiting for approval'), ('declined', 'Declined'), ('requested', 'Requested'), ('frozen', 'Frozen'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='requested', max_length=10)),
                        ('reason', models.CharField(max_length=200)),
                        ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('as_of', models.DateTimeField(null=True)),
                        ('audit_event', models.BigIntegerField(null=True)),
                        ('manifest', models.JSONField(default=dict)),
                        ('sha256', models.CharField(blank=True, max_length=64)),
                        ('size', models.PositiveBigIntegerField(null=True)),
                        ('job', models.BigIntegerField(null=True)),
                        ('message', models.TextField(blank=True)),
                        ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                        ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='exports', to='trials.trial')),
                        ('formats', models.JSONField(default=list)),
                        ('privacy', models.CharField(choices=[('full', "Full: as recorded, for the trial's people"), ('limited', 'Limited: dates shifted, no free text'), ('safe_harbor', 'HIPAA Safe Harbor: years, no sites, codes')], default='full', max_length=20)),
                        ('decided_at', models.DateTimeField(blank=True, null=True)),
                        ('decided_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('decision_reason', models.CharField(blank=True, max_length=200)),
                        ('is_unblinded', models.BooleanField(default=False)),
                        ('unblinding_reason', models.CharField(blank=True, max_length=200)),
                        ('cut_off', models.DateField(blank=True, null=True)),
                        ('cancelled_at', models.DateTimeField(null=True)),
                        ('cancelled_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('point', models.JSONField(blank=True, default=dict)),
                        ('signature', models.CharField(blank=True, max_length=88)),
                        ('signing_key_sha256', models.CharField(blank=True, max_length=64)),
                    ],
                    options={
                        'ordering': ['-requested_at', '-pk'],
                        'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('decided_by', None), ('is_unblinded', False), ('unblinding_reason', '')), models.Q(('is_unblinded', True), models.Q(('unblinding_reason', ''), _negated=True)), _connector='OR'), name='export_unblinded_for_a_reason'), models.CheckConstraint(condition=models.Q(('is_unblinded', False), models.Q(('decided_by', None), ('state', 'waiting')), models.Q(('decided_at__isnull', False), ('decided_by__isnull', False), models.Q(('decision_reason', ''), _negated=True), models.Q(('state', 'declined'), models.Q(('decided_by', models.F('requested_by')), _negated=True), _connector='OR')), _connector='OR'), name='export_unblinded_by_two'), models.CheckConstraint(condition=models.Q(('is_unblinded', True), models.Q(('state__in', ['waiting', 'declined']), _negated=True), _connector='OR'), name='export_waits_to_be_unblinded'), models.CheckConstraint(condition=models.Q(models.Q(('signature', ''), ('signing_key_sha256', '')), models.Q(('state', 'frozen'), models.Q(('signature', ''), _negated=True), models.Q(('signing_key_sha256', ''), _negated=True)), _connector='OR'), name='export_signed_with_a_key_once_frozen')],
                    },
                ),
                migrations.CreateModel(
                    name='ExportDownload',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                        ('export', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='downloads', to='reporting.export')),
                    ],
                    options={
                        'ordering': ['export', '-pk'],
                    },
                ),
                migrations.CreateModel(
                    name='PrintedSheet',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('kind', models.CharField(choices=[('scan_worksheet', 'Scan-day worksheet'), ('booking_sheet', 'Booking sheet'), ('screening_log', 'Screening log'), ('pre_visit_list', 'Pre-visit list'), ('visit_report', 'Monitoring visit report'), ('follow_up_letter', 'Follow-up letter')], max_length=20)),
                        ('subject_table', models.CharField(max_length=63)),
                        ('subject_pk', models.BigIntegerField()),
                        ('number', models.PositiveIntegerField()),
                        ('protocol_version', models.CharField(max_length=80)),
                        ('content_sha256', models.CharField(max_length=64)),
                        ('pdf_sha256', models.CharField(max_length=64)),
                        ('size', models.PositiveIntegerField()),
                        ('printed_at', models.DateTimeField()),
                        ('patient', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='printed_sheets', to='trials.patient')),
                        ('printed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='printed_sheets', to='trials.site')),
                        ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='printed_sheets', to='trials.trial')),
                    ],
                    options={
                        'ordering': ['-printed_at', '-pk'],
                        'constraints': [models.UniqueConstraint(fields=('kind', 'subject_table', 'subject_pk', 'number'), name='sheet_print_once')],
                    },
                ),
                migrations.CreateModel(
                    name='PopulationReview',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('population', models.CharField(max_length=8)),
                        ('state', models.CharField(choices=[('draft', 'Draft'), ('signed', 'Signed'), ('abandoned', 'Abandoned')], default='draft', max_length=10)),
                        ('version', models.PositiveIntegerField(default=1)),
                        ('definition', models.JSONField(default=dict)),
                        ('protocol_version', models.CharField(blank=True, max_length=80)),
                        ('inputs', models.JSONField(default=list)),
                        ('inputs_sha256', models.CharField(blank=True, max_length=64)),
                        ('engine', models.CharField(blank=True, max_length=40)),
                        ('exports_taken', models.PositiveIntegerField(default=0)),
                        ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('signed_at', models.DateTimeField(blank=True, null=True)),
                        ('opened_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='population_reviews', to='trials.trial')),
                        ('abandoned_at', models.DateTimeField(blank=True, null=True)),
                        ('abandoned_because', models.CharField(blank=True, max_length=400)),
                        ('abandoned_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'ordering': ['trial', 'population', '-pk'],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'draft')), fields=('trial', 'population'), name='one_population_review_open'), models.CheckConstraint(condition=models.Q(models.Q(('inputs_sha256', ''), ('signed_at', None), ('state__in', ['draft', 'abandoned'])), models.Q(('signed_at__isnull', False), ('state', 'signed'), models.Q(('inputs_sha256', ''), _negated=True)), _connector='OR'), name='signed_population_review_has_inputs'), models.CheckConstraint(condition=models.Q(models.Q(('abandoned_at__isnull', False), ('abandoned_by__isnull', False), ('state', 'abandoned'), models.Q(('abandoned_because', ''), _negated=True)), models.Q(models.Q(('state', 'abandoned'), _negated=True), ('abandoned_at', None), ('abandoned_because', ''), ('abandoned_by', None)), _connector='OR'), name='abandoned_population_review_says_why')],
                    },
                ),
                migrations.CreateModel(
                    name='PopulationMember',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('scan', models.CharField(blank=True, max_length=40)),
                        ('proposed', models.BooleanField()),
                        ('reasons', models.JSONField(default=list)),
                        ('is_in', models.BooleanField()),
                        ('reason', models.CharField(blank=True, max_length=400)),
                        ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='population_members', to='trials.patient')),
                        ('review', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='members', to='reporting.populationreview')),
                    ],
                    options={
                        'ordering': ['review', 'patient', 'scan'],
                        'constraints': [models.UniqueConstraint(fields=('review', 'patient', 'scan'), name='population_member_once')],
                    },
                ),
                migrations.CreateModel(
                    name='PopulationDecision',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('scan', models.CharField(blank=True, max_length=40)),
                        ('is_in', models.BooleanField()),
                        ('reason', models.CharField(max_length=400)),
                        ('decided_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('decided_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='population_decisions', to='trials.patient')),
                        ('review', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='reporting.populationreview')),
                    ],
                    options={
                        'ordering': ['review', 'patient', 'scan'],
                        'constraints': [models.UniqueConstraint(fields=('review', 'patient', 'scan'), name='population_decided_once')],
                    },
                ),
                migrations.CreateModel(
                    name='ReportDownload',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('report', models.CharField(max_length=60)),
                        ('part', models.CharField(max_length=40)),
                        ('as_of', models.DateTimeField()),
                        ('sha256', models.CharField(max_length=64)),
                        ('at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('export', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='report_downloads', to='reporting.export')),
                        ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='report_downloads', to='trials.trial')),
                    ],
                    options={
                        'ordering': ['trial', '-pk'],
                    },
                ),
                migrations.CreateModel(
                    name='ExportRebuild',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('state', models.CharField(choices=[('requested', 'Requested'), ('done', 'Done'), ('failed', 'Failed')], default='requested', max_length=10)),
                        ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('finished_at', models.DateTimeField(null=True)),
                        ('software_version', models.CharField(blank=True, max_length=40)),
                        ('files', models.JSONField(default=list)),
                        ('job', models.BigIntegerField(null=True)),
                        ('message', models.TextField(blank=True)),
                        ('export', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rebuilds', to='reporting.export')),
                        ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'ordering': ['export', '-pk'],
                    },
                ),
            ],
        ),
    ]
