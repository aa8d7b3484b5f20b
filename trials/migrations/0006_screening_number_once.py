
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0005_records_before'),
    ]

    operations = [
        migrations.AlterField(
            model_name='patient',
            name='screening_number',
            field=models.CharField(max_length=40),
        ),
        migrations.AddConstraint(
            model_name='patient',
            constraint=models.UniqueConstraint(fields=('trial', 'screening_number'), name='patient_screening_number_once'),
        ),
    ]
