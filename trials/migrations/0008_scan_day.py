
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0007_job_order'),
    ]

    operations = [
        migrations.AddField(
            model_name='injection',
            name='body_site',
            field=models.CharField(blank=True, max_length=60),
        ),
        migrations.AddField(
            model_name='injection',
            name='calibrator_ahead_s',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='injection',
            name='comment',
            field=models.CharField(blank=True, max_length=400),
        ),
        migrations.AddField(
            model_name='injection',
            name='despite',
            field=models.CharField(blank=True, max_length=400),
        ),
        migrations.AddField(
            model_name='injection',
            name='extravasation',
            field=models.CharField(choices=[('not_stated', 'Not stated'), ('none', 'None seen'), ('suspected', 'Suspected'), ('seen', 'Seen')], default='not_stated', max_length=10),
        ),
        migrations.AddField(
            model_name='injection',
            name='version',
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name='plannedscan',
            name='suv_source',
            field=models.CharField(choices=[('header', 'The headers of the images'), ('record', 'What the site recorded')], default='header', max_length=10),
        ),
        migrations.AddField(
            model_name='scheduledscan',
            name='cancelled_because',
            field=models.CharField(blank=True, max_length=400),
        ),
        migrations.CreateModel(
            name='Batch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('tracer', models.CharField(max_length=40)),
                ('number', models.CharField(max_length=60)),
                ('calibration_activity_mbq', models.FloatField()),
                ('calibrated_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('released_at', models.DateTimeField(blank=True, null=True)),
                ('released_by', models.CharField(blank=True, max_length=120)),
                ('certificate', models.CharField(blank=True, max_length=200)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('recorded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='batches', to='trials.site')),
            ],
            options={
                'ordering': ['site', '-calibrated_at', '-pk'],
            },
        ),
        migrations.AddField(
            model_name='injection',
            name='batch',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='injections', to='trials.batch'),
        ),
        migrations.CreateModel(
            name='Scanner',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60)),
                ('manufacturer', models.CharField(max_length=80)),
                ('model', models.CharField(max_length=80)),
                ('software', models.CharField(blank=True, max_length=80)),
                ('serial_number', models.CharField(blank=True, max_length=80)),
                ('station_name', models.CharField(blank=True, max_length=40)),
                ('retired_on', models.DateField(blank=True, null=True)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='scanners', to='trials.site')),
            ],
            options={
                'ordering': ['site', 'name'],
            },
        ),
        migrations.CreateModel(
            name='ClockReading',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('instrument', models.CharField(choices=[('dose_calibrator', 'Dose calibrator'), ('scanner', 'Scanner')], max_length=20)),
                ('ahead_s', models.FloatField()),
                ('read_at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('recorded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='clock_readings', to='trials.site')),
                ('scanner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='clock_readings', to='trials.scanner')),
            ],
            options={
                'ordering': ['site', 'instrument', '-read_at', '-pk'],
            },
        ),
        migrations.AddField(
            model_name='injection',
            name='scanner',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='injections', to='trials.scanner'),
        ),
        migrations.CreateModel(
            name='ScannerCheck',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('qualification', 'Qualified for a tracer'), ('cross_calibration', 'Cross-calibration')], max_length=20)),
                ('tracer', models.CharField(blank=True, max_length=40)),
                ('factor', models.FloatField(blank=True, null=True)),
                ('valid_from', models.DateField()),
                ('valid_until', models.DateField()),
                ('reference', models.CharField(max_length=200)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('recorded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('scanner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='checks', to='trials.scanner')),
            ],
            options={
                'ordering': ['scanner', 'kind', 'tracer', '-valid_from', '-pk'],
            },
        ),
        migrations.AddConstraint(
            model_name='batch',
            constraint=models.UniqueConstraint(fields=('site', 'tracer', 'number'), name='batch_once'),
        ),
        migrations.AddConstraint(
            model_name='batch',
            constraint=models.CheckConstraint(condition=models.Q(('calibration_activity_mbq__gt', 0)), name='batch_activity_positive'),
        ),
        migrations.AddConstraint(
            model_name='batch',
            constraint=models.CheckConstraint(condition=models.Q(('expires_at__gt', models.F('calibrated_at'))), name='batch_expires_later'),
        ),
        migrations.AddConstraint(
            model_name='scanner',
            constraint=models.UniqueConstraint(fields=('site', 'name'), name='scanner_once'),
        ),
        migrations.AddConstraint(
            model_name='clockreading',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('instrument', 'scanner'), ('scanner__isnull', False)), models.Q(('instrument', 'dose_calibrator'), ('scanner__isnull', True)), _connector='OR'), name='clock_of_a_scanner_names_it'),
        ),
        migrations.AddConstraint(
            model_name='scannercheck',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('factor__isnull', True), ('kind', 'qualification'), models.Q(('tracer', ''), _negated=True)), models.Q(('factor__gt', 0), ('kind', 'cross_calibration'), ('tracer', '')), _connector='OR'), name='scanner_check_has_its_value'),
        ),
        migrations.AddConstraint(
            model_name='scannercheck',
            constraint=models.CheckConstraint(condition=models.Q(('valid_until__gte', models.F('valid_from'))), name='scanner_check_ends_later'),
        ),
    ]
