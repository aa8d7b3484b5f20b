
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0021_carried_regions'),
    ]

    operations = [
        migrations.AddField(
            model_name='dicomobject',
            name='read',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='dicom_objects', to='imaging.read'),
        ),
        migrations.AddField(
            model_name='dicomobject',
            name='superseded_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name='dicomobject',
            name='kind',
            field=models.CharField(choices=[('SEG', 'Segmentation of the lesions'), ('SR', 'Report of the measurements'), ('RWV', 'Map from stored values to SUVbw')], max_length=10),
        ),
    ]
