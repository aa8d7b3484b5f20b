import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0009_report_downloads'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ExportRebuild',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('requested', 'Requested'), ('done', 'Done'), ('failed', 'Failed')], default='requested', max_length=10)),
                ('requested_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('finished_at', models.DateTimeField(null=True)),
                ('software_version', models.CharField(blank=True, max_length=40)),
                ('files', models.JSONField(default=list)),
                ('job', models.BigIntegerField(null=True)),
                ('message', models.TextField(blank=True)),
                ('export', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='rebuilds', to='reporting.export')),
                ('requested_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['export', '-pk'],
            },
        ),
    ]
