
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0013_export_cancelled'),
        ('trials', '0033_ct_dose_and_accountability'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='populationreview',
            name='signed_population_review_has_inputs',
        ),
        migrations.AddField(
            model_name='export',
            name='point',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name='populationreview',
            name='abandoned_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='populationreview',
            name='abandoned_because',
            field=models.CharField(blank=True, max_length=400),
        ),
        migrations.AddField(
            model_name='populationreview',
            name='abandoned_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AlterField(
            model_name='populationreview',
            name='state',
            field=models.CharField(choices=[('draft', 'Draft'), ('signed', 'Signed'), ('abandoned', 'Abandoned')], default='draft', max_length=10),
        ),
        migrations.AddConstraint(
            model_name='populationreview',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('inputs_sha256', ''), ('signed_at', None), ('state__in', ['draft', 'abandoned'])), models.Q(('signed_at__isnull', False), ('state', 'signed'), models.Q(('inputs_sha256', ''), _negated=True)), _connector='OR'), name='signed_population_review_has_inputs'),
        ),
        migrations.AddConstraint(
            model_name='populationreview',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('abandoned_at__isnull', False), ('abandoned_by__isnull', False), ('state', 'abandoned'), models.Q(('abandoned_because', ''), _negated=True)), models.Q(models.Q(('state', 'abandoned'), _negated=True), ('abandoned_at', None), ('abandoned_because', ''), ('abandoned_by', None)), _connector='OR'), name='abandoned_population_review_says_why'),
        ),
    ]
