import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("imaging", "0022_objects_of_reads"),
        ("trials", "0016_findings"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ResponseAnswers",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("answers", models.JSONField(default=dict)),
                ("answered_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "read",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="response_answers",
                        to="imaging.read",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "response answers",
                "ordering": ["read"],
            },
        ),
        migrations.CreateModel(
            name="ResponseEvaluation",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("rule", models.CharField(max_length=20)),
                (
                    "criterion",
                    models.CharField(
                        choices=[
                            ("percist", "PERCIST 1.0"),
                            ("eortc", "EORTC 1999"),
                            ("lugano", "Lugano 2014"),
                            ("qpet", "qPET"),
                        ],
                        max_length=10,
                    ),
                ),
                ("category", models.CharField(max_length=15)),
                ("why", models.TextField()),
                ("numbers", models.JSONField(default=list)),
                ("flags", models.JSONField(default=list)),
                ("source", models.CharField(max_length=200)),
                ("inputs", models.JSONField()),
                ("inputs_sha256", models.CharField(max_length=64)),
                ("software_version", models.CharField(max_length=40)),
                ("evaluated_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("is_current", models.BooleanField(default=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("ended_because", models.CharField(blank=True, max_length=200)),
                (
                    "baseline_read",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="responses_as_baseline",
                        to="imaging.read",
                    ),
                ),
                (
                    "later_read",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="responses_as_later",
                        to="imaging.read",
                    ),
                ),
                (
                    "reader",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="response_evaluations",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "supersedes",
                    models.OneToOneField(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="superseded_by",
                        to="imaging.responseevaluation",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="trials.protocolversion",
                    ),
                ),
            ],
            options={
                "ordering": ["later_read", "rule", "pk"],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("is_current", True)),
                        fields=("later_read", "rule"),
                        name="one_current_evaluation",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at", None), ("ended_because", "")),
                            models.Q(
                                ("ended_at__isnull", False),
                                ("is_current", False),
                                models.Q(("ended_because", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="ended_evaluation_says_why",
                    ),
                ],
            },
        ),
    ]
