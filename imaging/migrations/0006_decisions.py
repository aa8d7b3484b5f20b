
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0005_conformance'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='SuvDecision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(max_length=60)),
                ('input_sha256', models.CharField(max_length=64)),
                ('reason', models.CharField(max_length=400)),
                ('decided_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('decided_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to=settings.AUTH_USER_MODEL)),
                ('series', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='suv_decisions', to='imaging.series')),
            ],
            options={
                'ordering': ['series', '-decided_at', '-pk'],
                'constraints': [models.UniqueConstraint(fields=('series', 'code', 'input_sha256'), name='doubt_decided_once')],
            },
        ),
    ]
