from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0014_earlier_points_and_abandoned_reviews'),
        ('trials', '0033_ct_dose_and_accountability'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='export',
            name='signature',
            field=models.CharField(blank=True, max_length=88),
        ),
        migrations.AddField(
            model_name='export',
            name='signing_key_sha256',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddConstraint(
            model_name='export',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('signature', ''), ('signing_key_sha256', '')), models.Q(('state', 'frozen'), models.Q(('signature', ''), _negated=True), models.Q(('signing_key_sha256', ''), _negated=True)), _connector='OR'), name='export_signed_with_a_key_once_frozen'),
        ),
    ]
