"""A zip that was received becomes its files, and a large one comes in pieces."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0009_dicom_node'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='receivedfile',
            name='archive',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='entries', to='imaging.receivedfile'),
        ),
        migrations.AlterField(
            model_name='receivedfile',
            name='state',
            field=models.CharField(choices=[('received', 'Received'), ('accepted', 'Accepted'), ('quarantined', 'Quarantined'), ('rejected', 'Rejected'), ('released', 'Released'), ('unpacked', 'Unpacked')], default='received', max_length=15),
        ),
        migrations.CreateModel(
            name='PartialUpload',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sha256', models.CharField(max_length=64)),
                ('size', models.PositiveBigIntegerField()),
                ('state', models.CharField(choices=[('receiving', 'Receiving'), ('received', 'Received'), ('refused', 'Refused'), ('expired', 'Given up, nothing came for a day')], default='receiving', max_length=15)),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('opened_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                ('transmittal', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='partial_uploads', to='imaging.transmittal')),
            ],
            options={
                'ordering': ['transmittal', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('transmittal', 'sha256'), name='partial_upload_once_a_transmittal')],
            },
        ),
    ]
