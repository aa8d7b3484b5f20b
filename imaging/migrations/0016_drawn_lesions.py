import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0015_reads'),
    ]

    operations = [
        migrations.AddField(
            model_name='lesion',
            name='drawing',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='lesions', to='imaging.instance'),
        ),
        migrations.AddField(
            model_name='lesion',
            name='region_label',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='lesion',
            name='region_number',
            field=models.IntegerField(blank=True, null=True),
        ),
        migrations.AddConstraint(
            model_name='lesion',
            constraint=models.UniqueConstraint(fields=('quantification', 'drawing', 'region_number'), name='drawn_region_once'),
        ),
        migrations.AddConstraint(
            model_name='lesion',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('drawing', None), ('region_label', ''), ('region_number', None)), models.Q(('drawing__isnull', False), ('region_number__isnull', False)), _connector='OR'), name='lesion_drawn_or_not'),
        ),
    ]
