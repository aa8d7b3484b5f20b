
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0008_scan_day'),
    ]

    operations = [
        migrations.AddField(
            model_name='plannedscan',
            name='conformance',
            field=models.JSONField(default=dict),
        ),
    ]
