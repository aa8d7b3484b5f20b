
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0029_evidence_of_forms'),
    ]

    operations = [
        migrations.AddField(
            model_name='allocation',
            name='seal',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='allocation',
            name='strata',
            field=models.JSONField(default=list),
        ),
        migrations.AlterField(
            model_name='membership',
            name='role',
            field=models.CharField(choices=[('coordinator', 'Coordinator'), ('investigator', 'Investigator'), ('technologist', 'Technologist'), ('monitor', 'Monitor'), ('reader', 'Reader'), ('data_manager', 'Data manager'), ('statistician', 'Statistician'), ('auditor', 'Auditor'), ('administrator', 'Administrator'), ('unblinded_statistician', 'Unblinded statistician'), ('panel', 'Truth panel')], max_length=30),
        ),
        migrations.CreateModel(
            name='RandomisationListing',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=400)),
                ('places', models.PositiveIntegerField()),
                ('list_sha256', models.CharField(max_length=64)),
                ('mismatches', models.PositiveIntegerField()),
                ('listed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('listed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='listings', to='trials.trial')),
            ],
            options={
                'ordering': ['trial', 'pk'],
            },
        ),
    ]
