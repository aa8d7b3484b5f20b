
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0020_allocations'),
    ]

    operations = [
        migrations.CreateModel(
            name='TracerMovement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('tracer', models.CharField(max_length=40)),
                ('kind', models.CharField(choices=[('ordered', 'Ordered'), ('received', 'Received'), ('dispensed', 'Dispensed for a patient'), ('returned', 'Returned to the supplier'), ('destroyed', 'Destroyed or decayed')], max_length=10)),
                ('containers', models.PositiveIntegerField()),
                ('activity_mbq', models.FloatField(blank=True, null=True)),
                ('happened_at', models.DateTimeField()),
                ('reference', models.CharField(blank=True, max_length=200)),
                ('undone_because', models.CharField(blank=True, max_length=400)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('batch', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='movements', to='trials.batch')),
                ('recorded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='tracer_movements', to='trials.site')),
            ],
            options={
                'ordering': ['site', 'happened_at', 'pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('containers__gte', 1)), name='movement_of_containers'), models.CheckConstraint(condition=models.Q(('activity_mbq__isnull', True), ('activity_mbq__gte', 0), _connector='OR'), name='movement_activity_not_negative'), models.CheckConstraint(condition=models.Q(models.Q(('batch__isnull', True), ('kind', 'ordered')), models.Q(models.Q(('kind', 'ordered'), _negated=True), ('batch__isnull', False)), _connector='OR'), name='movement_of_a_batch')],
            },
        ),
    ]
