
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0010_partial_upload'),
    ]

    operations = [
        migrations.CreateModel(
            name='DeidentificationProof',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('pixels', 'Pixels, rescale and geometry unchanged'), ('suv_factor', 'SUV factor unchanged'), ('identifiers', 'No identifier in any byte'), ('second_parser', 'Second parser finds nothing beyond the keep-list'), ('keep_list', 'Nothing beyond the keep-list, all dates moved alike')], max_length=20)),
                ('is_held', models.BooleanField()),
                ('detail', models.TextField()),
                ('table_version', models.CharField(max_length=60)),
                ('software_version', models.CharField(max_length=40)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('series', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='proofs', to='imaging.series')),
                ('transmittal', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='proofs', to='imaging.transmittal')),
            ],
            options={
                'ordering': ['series', 'transmittal', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('series', 'transmittal', 'kind'), name='proof_once_a_transmittal')],
            },
        ),
    ]
