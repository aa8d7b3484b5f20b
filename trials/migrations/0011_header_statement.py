import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0010_calendar'),
    ]

    operations = [
        migrations.AddField(
            model_name='injection',
            name='confirmed_differences',
            field=models.TextField(blank=True),
        ),
        migrations.CreateModel(
            name='HeaderStatement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('injected_at', models.DateTimeField(blank=True, null=True)),
                ('activity_mbq', models.FloatField(blank=True, null=True)),
                ('weight_kg', models.FloatField(blank=True, null=True)),
                ('height_cm', models.FloatField(blank=True, null=True)),
                ('manufacturer', models.CharField(blank=True, max_length=80)),
                ('model', models.CharField(blank=True, max_length=80)),
                ('source', models.CharField(max_length=200)),
                ('told_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('scheduled_scan', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='header_statement', to='trials.scheduledscan')),
            ],
            options={
                'abstract': False,
            },
        ),
    ]
