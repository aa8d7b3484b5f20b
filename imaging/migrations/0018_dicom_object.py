"""Segmentation and report of a run, as DICOM objects."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0017_comparisons'),
    ]

    operations = [
        migrations.CreateModel(
            name='DicomObject',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('SEG', 'Segmentation of the lesions'), ('SR', 'Report of the measurements')], max_length=10)),
                ('series_instance_uid', models.CharField(max_length=64)),
                ('sop_instance_uid', models.CharField(max_length=64)),
                ('sha256', models.CharField(max_length=64)),
                ('size', models.PositiveBigIntegerField()),
                ('header', models.JSONField()),
                ('software_version', models.CharField(max_length=40)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('quantification', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='dicom_objects', to='imaging.quantification')),
            ],
            options={
                'ordering': ['quantification', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('quantification', 'sop_instance_uid'), name='dicom_object_once')],
            },
        ),
    ]
