import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0006_export_formats'),
        ('trials', '0032_populations'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='PopulationReview',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('population', models.CharField(max_length=8)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('signed', 'Signed')], default='draft', max_length=10)),
                ('version', models.PositiveIntegerField(default=1)),
                ('definition', models.JSONField(default=dict)),
                ('protocol_version', models.CharField(blank=True, max_length=80)),
                ('inputs', models.JSONField(default=list)),
                ('inputs_sha256', models.CharField(blank=True, max_length=64)),
                ('engine', models.CharField(blank=True, max_length=40)),
                ('exports_taken', models.PositiveIntegerField(default=0)),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('signed_at', models.DateTimeField(blank=True, null=True)),
                ('opened_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='population_reviews', to='trials.trial')),
            ],
            options={
                'ordering': ['trial', 'population', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='PopulationMember',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scan', models.CharField(blank=True, max_length=40)),
                ('proposed', models.BooleanField()),
                ('reasons', models.JSONField(default=list)),
                ('is_in', models.BooleanField()),
                ('reason', models.CharField(blank=True, max_length=400)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='population_members', to='trials.patient')),
                ('review', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='members', to='reporting.populationreview')),
            ],
            options={
                'ordering': ['review', 'patient', 'scan'],
            },
        ),
        migrations.CreateModel(
            name='PopulationDecision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scan', models.CharField(blank=True, max_length=40)),
                ('is_in', models.BooleanField()),
                ('reason', models.CharField(max_length=400)),
                ('decided_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('decided_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='population_decisions', to='trials.patient')),
                ('review', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='decisions', to='reporting.populationreview')),
            ],
            options={
                'ordering': ['review', 'patient', 'scan'],
            },
        ),
        migrations.AddConstraint(
            model_name='populationreview',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'draft')), fields=('trial', 'population'), name='one_population_review_open'),
        ),
        migrations.AddConstraint(
            model_name='populationreview',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('inputs_sha256', ''), ('signed_at', None), ('state', 'draft')), models.Q(('signed_at__isnull', False), ('state', 'signed'), models.Q(('inputs_sha256', ''), _negated=True)), _connector='OR'), name='signed_population_review_has_inputs'),
        ),
        migrations.AddConstraint(
            model_name='populationmember',
            constraint=models.UniqueConstraint(fields=('review', 'patient', 'scan'), name='population_member_once'),
        ),
        migrations.AddConstraint(
            model_name='populationdecision',
            constraint=models.UniqueConstraint(fields=('review', 'patient', 'scan'), name='population_decided_once'),
        ),
    ]
