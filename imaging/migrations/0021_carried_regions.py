import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imaging", "0020_computed_positivity")]

    operations = [
        migrations.AddField("read", "not_carried", models.JSONField(default=list)),
        migrations.AddField(
            "grownlesion",
            "grown_from",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="grown_again",
                to="imaging.grownlesion",
            ),
        ),
    ]
