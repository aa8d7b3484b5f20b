from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("imaging", "0024_what_thresholds_came_from"),
    ]

    operations = [
        migrations.AddField(
            model_name="referenceregion",
            name="uptake_minutes",
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="referenceregion",
            name="volume_ml",
            field=models.FloatField(blank=True, null=True),
        ),
    ]
