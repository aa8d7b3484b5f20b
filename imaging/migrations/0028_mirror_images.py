
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0027_adjudications'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='referenceregion',
            name='one_region_in_force',
        ),
        migrations.AddField(
            model_name='referenceregion',
            name='lesion',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='mirror_images', to='imaging.lesion'),
        ),
        migrations.AddField(
            model_name='referenceregion',
            name='plane',
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='referenceregion',
            name='kind',
            field=models.CharField(choices=[('blood_pool', 'Mediastinal blood pool'), ('liver', 'Liver'), ('spleen', 'Spleen'), ('bone_marrow', 'Bone marrow'), ('muscle', 'Muscle'), ('kidney_left', 'Left kidney'), ('kidney_right', 'Right kidney'), ('adrenal_left', 'Left adrenal'), ('adrenal_right', 'Right adrenal'), ('contralateral_brain', 'Contralateral brain')], max_length=20),
        ),
        migrations.AlterField(
            model_name='referenceregion',
            name='radius_mm',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name='referenceregion',
            constraint=models.UniqueConstraint(condition=models.Q(('lesion', None), ('replaced_at', None)), fields=('quantification', 'kind'), name='one_region_in_force'),
        ),
        migrations.AddConstraint(
            model_name='referenceregion',
            constraint=models.UniqueConstraint(condition=models.Q(('lesion__isnull', False), ('replaced_at', None)), fields=('lesion',), name='one_mirror_image_in_force'),
        ),
        migrations.AddConstraint(
            model_name='referenceregion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('lesion', None), ('plane', None), ('radius_mm__isnull', False)), models.Q(('kind', 'contralateral_brain'), ('lesion__isnull', False), ('plane__isnull', False), ('radius_mm', None)), _connector='OR'), name='region_is_sphere_or_mirror_image'),
        ),
    ]
