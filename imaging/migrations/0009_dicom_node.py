"""Where scanners and archives send over DICOM's network protocol, and who called there last."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("imaging", "0008_identity_and_incidents"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="DicomNode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("called_ae_title", models.CharField(max_length=16, unique=True, verbose_name="called AE title")),
                ("calling_ae_titles", models.JSONField(blank=True, default=list, verbose_name="calling AE titles")),
                ("allowed_addresses", models.JSONField(blank=True, default=list)),
                ("is_active", models.BooleanField(default=True)),
                ("registered_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("registered_by", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL)),
                ("site", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="dicom_nodes", to="trials.site")),
            ],
            options={"ordering": ["site", "called_ae_title"]},
        ),
        migrations.CreateModel(
            name="DicomContact",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                ("calling_ae_title", models.CharField(max_length=16, verbose_name="calling AE title")),
                ("address", models.CharField(max_length=45)),
                ("refusal", models.CharField(blank=True, max_length=120)),
                ("node", models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name="contact", to="imaging.dicomnode")),
            ],
            options={"ordering": ["-at"]},
        ),
    ]
