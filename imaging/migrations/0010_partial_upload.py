"""A zip that was received becomes its files: which were taken out of which."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0009_dicom_node'),
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
            field=models.CharField(choices=[('received', 'Received'), ('accepted', 'Accepted'), ('quarantined', 'Quarantined'), ('rejected', 'Rejected'), ('released', 'Released'), ('unpacked', 'Archive, its files were taken out')], default='received', max_length=15),
        ),
    ]
