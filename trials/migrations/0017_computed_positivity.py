
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0016_findings'),
    ]

    operations = [
        migrations.AlterField(
            model_name='finding',
            name='method',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name='finding',
            name='test',
            field=models.CharField(choices=[('LESNUM', 'Number of lesions'), ('SUVMAX', 'SUVmax'), ('SUVMEAN', 'SUVmean'), ('SUVPEAK', 'SUVpeak'), ('VOLUME', 'Volume'), ('UPTAKE', 'Total uptake'), ('DMAX', 'Largest distance between two lesions'), ('VISPOS', 'Visual positivity'), ('CMPPOS', 'Computed positivity')], max_length=10),
        ),
    ]
