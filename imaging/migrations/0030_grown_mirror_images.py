
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0029_recist_on_record'),
    ]

    operations = [
        migrations.CreateModel(
            name='GrownMirrorImage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('code', models.CharField(blank=True, max_length=60)),
                ('message', models.TextField(blank=True)),
                ('plane', models.JSONField(null=True)),
                ('centre_mm', models.JSONField(null=True)),
                ('voxel_count', models.PositiveIntegerField(null=True)),
                ('volume_ml', models.FloatField(null=True)),
                ('suvmean', models.FloatField(null=True)),
                ('suv_sd', models.FloatField(null=True)),
                ('looked_for_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('accepted_at', models.DateTimeField(null=True)),
                ('grown', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='mirror_image', to='imaging.grownlesion')),
            ],
            options={
                'ordering': ['grown'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('centre_mm__isnull', False), ('code', ''), ('plane__isnull', False), ('suv_sd__isnull', False), ('suvmean__gt', 0), ('suvmean__isnull', False), ('volume_ml__isnull', False), ('voxel_count__isnull', False)), models.Q(models.Q(('code', ''), _negated=True), ('accepted_at', None), ('suvmean', None)), _connector='OR'), name='grown_mirror_image_or_why_not')],
            },
        ),
    ]
