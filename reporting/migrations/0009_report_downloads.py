import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0008_export_privacy'),
        ('trials', '0032_populations'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ReportDownload',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('report', models.CharField(max_length=60)),
                ('part', models.CharField(max_length=40)),
                ('as_of', models.DateTimeField()),
                ('sha256', models.CharField(max_length=64)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('export', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='report_downloads', to='reporting.export')),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='report_downloads', to='trials.trial')),
            ],
            options={
                'ordering': ['trial', '-pk'],
            },
        ),
    ]
