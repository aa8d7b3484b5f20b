
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0004_review'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='quantification',
            name='record_version',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name='ConformanceFinding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('rule', models.CharField(max_length=60)),
                ('severity', models.CharField(choices=[('info', 'Info'), ('minor', 'Minor'), ('major', 'Major'), ('blocking', 'Blocking')], max_length=10)),
                ('text', models.TextField()),
                ('values', models.JSONField(default=dict)),
                ('population', models.CharField(blank=True, max_length=80)),
                ('is_current', models.BooleanField(default=True)),
                ('found_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('override_reason', models.CharField(blank=True, max_length=400)),
                ('overridden_at', models.DateTimeField(blank=True, null=True)),
                ('overridden_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('series', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='findings', to='imaging.series')),
            ],
            options={
                'ordering': ['series', 'rule', '-found_at', '-pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('is_current', True)), fields=('series', 'rule'), name='finding_once'), models.CheckConstraint(condition=models.Q(models.Q(('overridden_by__isnull', True), ('override_reason', '')), models.Q(('overridden_by__isnull', False), models.Q(('override_reason', ''), _negated=True)), _connector='OR'), name='override_has_person_and_reason')],
            },
        ),
    ]
