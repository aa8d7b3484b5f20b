
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0021_tracer_movements'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='tracermovement',
            name='movement_of_containers',
        ),
        migrations.RemoveConstraint(
            model_name='tracermovement',
            name='movement_activity_not_negative',
        ),
        migrations.RenameField(
            model_name='tracermovement',
            old_name='containers',
            new_name='doses',
        ),
        migrations.AddConstraint(
            model_name='tracermovement',
            constraint=models.CheckConstraint(condition=models.Q(('doses__range', (1, 10000))), name='movement_of_doses'),
        ),
        migrations.AddConstraint(
            model_name='tracermovement',
            constraint=models.CheckConstraint(condition=models.Q(('activity_mbq__isnull', True), ('activity_mbq__range', (0, 1000000.0)), _connector='OR'), name='movement_activity_in_range'),
        ),
    ]
