import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0011_deidentification_proofs'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='series',
            name='counting',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='series',
            name='counts',
            field=models.BooleanField(default=False),
        ),
        migrations.CreateModel(
            name='CountingDecision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('among', models.JSONField()),
                ('reason', models.CharField(max_length=400)),
                ('decided_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('decided_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                ('series', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='counting_decisions', to='imaging.series')),
            ],
            options={
                'ordering': ['series', '-decided_at', '-pk'],
            },
        ),
    ]
