import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0011_header_statement'),
    ]

    operations = [
        migrations.CreateModel(
            name='VisitRecord',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('took_place_at', models.CharField(max_length=32)),
                ('performed_by', models.CharField(max_length=120)),
                ('undone_because', models.CharField(blank=True, max_length=400)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='visit_records', to='trials.patient')),
                ('planned_visit', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='trials.plannedvisit')),
                ('recorded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['patient', 'pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('undone_because', '')), fields=('patient', 'planned_visit'), name='visit_recorded_once')],
            },
        ),
    ]
