from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0033_ct_dose_and_accountability'),
    ]

    operations = [
        migrations.AddField(
            model_name='plannedscan',
            name='retest',
            field=models.JSONField(blank=True, default=dict),
        ),
    ]
