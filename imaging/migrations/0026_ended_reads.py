from django.db import migrations, models
from django.db.models import Q


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
        migrations.AddField(
            model_name="read",
            name="ended_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="read",
            name="ended_because",
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddConstraint(
            model_name="read",
            constraint=models.CheckConstraint(
                name="ended_read_says_why",
                condition=Q(ended_at=None, ended_because="")
                | (Q(ended_at__isnull=False, state="signed") & ~Q(ended_because="")),
            ),
        ),
    ]
