
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0013_assessment_anchors'),
    ]

    operations = [
        migrations.AddField(
            model_name='patient',
            name='described_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
