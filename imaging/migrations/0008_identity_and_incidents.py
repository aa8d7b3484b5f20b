
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0007_ways_in'),
        ('trials', '0013_assessment_anchors'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='transmittal',
            name='identity',
            field=models.JSONField(default=list),
        ),
        migrations.CreateModel(
            name='PrivacyIncident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(blank=True, max_length=60)),
                ('text', models.TextField()),
                ('state', models.CharField(choices=[('open', 'Open'), ('closed', 'Closed')], default='open', max_length=10)),
                ('found_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('notification', models.CharField(choices=[('undecided', 'Not decided yet'), ('none', 'Nobody has to be notified'), ('authority', 'The supervisory authority'), ('persons', 'The supervisory authority and the person concerned')], default='undecided', max_length=10)),
                ('basis', models.TextField(blank=True)),
                ('notified_on', models.DateField(blank=True, null=True)),
                ('judged_at', models.DateTimeField(blank=True, null=True)),
                ('closed_at', models.DateTimeField(blank=True, null=True)),
                ('measures', models.TextField(blank=True)),
                ('closed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('found_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('judged_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='privacy_incidents', to='trials.site')),
                ('transmittal', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='privacy_incidents', to='imaging.transmittal')),
            ],
            options={
                'ordering': ['-found_at', '-pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('code', ''), _negated=True), fields=('transmittal', 'code'), name='incident_once_a_rule')],
            },
        ),
    ]
