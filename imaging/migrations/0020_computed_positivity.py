import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("imaging", "0019_region_in_force")]

    operations = [
        migrations.CreateModel(
            name="LesionPositivity",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule", models.JSONField()),
                ("is_positive", models.BooleanField()),
                ("value", models.FloatField()),
                ("threshold", models.FloatField()),
                ("why", models.TextField()),
                (
                    "lesion",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="positivities",
                        to="imaging.lesion",
                    ),
                ),
                (
                    "region",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="positivities",
                        to="imaging.referenceregion",
                    ),
                ),
            ],
            options={"ordering": ["lesion", "region"]},
        ),
        migrations.AddConstraint(
            "lesionpositivity",
            models.UniqueConstraint(fields=("lesion", "region"), name="positivity_once"),
        ),
    ]
