
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0019_adrenal_findings'),
    ]

    operations = [
        migrations.CreateModel(
            name='Allocation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('scheme_sha256', models.CharField(max_length=64)),
                ('stratum', models.CharField(blank=True, max_length=200)),
                ('position', models.PositiveIntegerField()),
                ('allocated_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('allocated_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('patient', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='allocation', to='trials.patient')),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='allocations', to='trials.trial')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.protocolversion')),
            ],
            options={
                'ordering': ['trial', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Unblinding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reason', models.CharField(max_length=400)),
                ('unblinded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('allocation', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='unblindings', to='trials.allocation')),
                ('unblinded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['allocation', 'pk'],
            },
        ),
        migrations.AddConstraint(
            model_name='allocation',
            constraint=models.UniqueConstraint(fields=('trial', 'scheme_sha256', 'stratum', 'position'), name='allocation_place_once'),
        ),
    ]
