
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0002_initial'),
        ('trials', '0007_job_order'),
    ]

    operations = [
        migrations.CreateModel(
            name='Destruction',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('files', models.PositiveIntegerField()),
                ('destroyed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('patient', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='destruction', to='trials.patient')),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
    ]
