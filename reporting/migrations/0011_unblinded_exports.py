
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0010_export_rebuilds'),
        ('trials', '0032_populations'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='export',
            name='decided_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='export',
            name='decided_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='export',
            name='decision_reason',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='export',
            name='is_unblinded',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='export',
            name='unblinding_reason',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AlterField(
            model_name='export',
            name='state',
            field=models.CharField(choices=[('waiting', 'Waiting for approval'), ('declined', 'Declined'), ('requested', 'Requested'), ('frozen', 'Frozen'), ('failed', 'Failed')], default='requested', max_length=10),
        ),
        migrations.AddConstraint(
            model_name='export',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decided_by', None), ('is_unblinded', False), ('unblinding_reason', '')), models.Q(('is_unblinded', True), models.Q(('unblinding_reason', ''), _negated=True)), _connector='OR'), name='export_unblinded_for_a_reason'),
        ),
        migrations.AddConstraint(
            model_name='export',
            constraint=models.CheckConstraint(condition=models.Q(('is_unblinded', False), models.Q(('decided_by', None), ('state', 'waiting')), models.Q(('decided_at__isnull', False), ('decided_by__isnull', False), models.Q(('decision_reason', ''), _negated=True), models.Q(('state', 'declined'), models.Q(('decided_by', models.F('requested_by')), _negated=True), _connector='OR')), _connector='OR'), name='export_unblinded_by_two'),
        ),
        migrations.AddConstraint(
            model_name='export',
            constraint=models.CheckConstraint(condition=models.Q(('is_unblinded', True), models.Q(('state__in', ['waiting', 'declined']), _negated=True), _connector='OR'), name='export_waits_to_be_unblinded'),
        ),
    ]
