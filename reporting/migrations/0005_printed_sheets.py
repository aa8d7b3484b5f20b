import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0004_jobs_of_exports'),
        ('trials', '0026_monitoring'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
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
    ]
