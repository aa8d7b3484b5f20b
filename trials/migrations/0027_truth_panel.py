
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0026_monitoring'),
    ]

    operations = [
        migrations.AddField(
            model_name='formentry',
            name='changed_unblinded_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='formentry',
            name='is_of_panel',
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name='membership',
            name='role',
            field=models.CharField(choices=[('coordinator', 'Coordinator'), ('investigator', 'Investigator'), ('technologist', 'Technologist'), ('monitor', 'Monitor'), ('reader', 'Reader'), ('data_manager', 'Data manager'), ('statistician', 'Statistician'), ('auditor', 'Auditor'), ('administrator', 'Administrator'), ('panel', 'Truth panel')], max_length=30),
        ),
        migrations.CreateModel(
            name='PanelUnblinding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=400)),
                ('unblinded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('patient', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='panel_unblinding', to='trials.patient')),
                ('unblinded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['patient'],
            },
        ),
    ]
