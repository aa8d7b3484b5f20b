from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("imaging", "0025_region_volume_and_time"),
    ]

    operations = [
        migrations.AddField(
            model_name="responseevaluation",
            name="confirmed_at",
            field=models.DateTimeField(null=True),
        ),
    ]
