
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0028_mirror_images'),
    ]

    operations = [
        migrations.AddField(
            model_name='responseevaluation',
            name='best',
            field=models.CharField(blank=True, max_length=15),
        ),
        migrations.AlterField(
            model_name='responseevaluation',
            name='criterion',
            field=models.CharField(choices=[('percist', 'PERCIST 1.0'), ('eortc', 'EORTC 1999'), ('lugano', 'Lugano 2014'), ('qpet', 'qPET'), ('recist', 'RECIST 1.1')], max_length=10),
        ),
        migrations.CreateModel(
            name='RecistLesion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lesion', models.CharField(max_length=3)),
                ('region', models.CharField(blank=True, choices=[('waldeyer', "Waldeyer's ring"), ('nodes_cervical_right', 'Cervical nodes, right'), ('nodes_cervical_left', 'Cervical nodes, left'), ('nodes_supraclavicular_right', 'Supraclavicular nodes, right'), ('nodes_supraclavicular_left', 'Supraclavicular nodes, left'), ('nodes_axillary_right', 'Axillary nodes, right'), ('nodes_axillary_left', 'Axillary nodes, left'), ('nodes_mediastinal', 'Mediastinal nodes'), ('nodes_hilar_right', 'Hilar nodes, right'), ('nodes_hilar_left', 'Hilar nodes, left'), ('nodes_paraaortic', 'Para-aortic nodes'), ('nodes_mesenteric', 'Mesenteric nodes'), ('nodes_iliac_right', 'Iliac nodes, right'), ('nodes_iliac_left', 'Iliac nodes, left'), ('nodes_inguinal_right', 'Inguinal nodes, right'), ('nodes_inguinal_left', 'Inguinal nodes, left'), ('nodes_other', 'Other nodes'), ('brain_right', 'Brain, right'), ('brain_left', 'Brain, left'), ('brain_midline', 'Brain, midline or both sides'), ('orbit_right', 'Orbit, right'), ('orbit_left', 'Orbit, left'), ('head_and_neck', 'Head and neck, other'), ('thyroid', 'Thyroid'), ('lung_right', 'Lung, right'), ('lung_left', 'Lung, left'), ('pleura', 'Pleura'), ('heart', 'Heart and pericardium'), ('breast_right', 'Breast, right'), ('breast_left', 'Breast, left'), ('oesophagus', 'Oesophagus'), ('stomach', 'Stomach'), ('bowel', 'Bowel'), ('liver', 'Liver'), ('spleen', 'Spleen'), ('pancreas', 'Pancreas'), ('adrenal_right', 'Adrenal, right'), ('adrenal_left', 'Adrenal, left'), ('kidney_right', 'Kidney, right'), ('kidney_left', 'Kidney, left'), ('peritoneum', 'Peritoneum'), ('pelvic_organs', 'Pelvic organs'), ('skull', 'Skull'), ('spine_cervical', 'Spine, cervical'), ('spine_thoracic', 'Spine, thoracic'), ('spine_lumbar', 'Spine, lumbar'), ('sacrum_and_pelvis', 'Sacrum and pelvis'), ('ribs_and_sternum', 'Ribs, sternum, clavicles, scapulae'), ('arm_right', 'Arm bones, right'), ('arm_left', 'Arm bones, left'), ('leg_right', 'Leg bones, right'), ('leg_left', 'Leg bones, left'), ('soft_tissue', 'Muscle and soft tissue'), ('skin', 'Skin'), ('other', 'Elsewhere')], max_length=30)),
                ('state', models.CharField(blank=True, choices=[('measured', 'Measured'), ('gone', 'Gone'), ('too-small', 'Too small to measure: 5 mm'), ('not-assessed', 'Not assessed'), ('present', 'There'), ('progressed', 'Unequivocally grown')], max_length=15)),
                ('diameter_mm', models.FloatField(null=True)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('read', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='recist_lesions', to='imaging.read')),
            ],
            options={
                'ordering': ['read', 'pk'],
                'constraints': [models.UniqueConstraint(fields=('read', 'lesion'), name='one_recist_lesion_of_a_name'), models.CheckConstraint(condition=models.Q(models.Q(('diameter_mm', None), models.Q(('state', 'measured'), _negated=True)), models.Q(('diameter_mm__gt', 0), ('state', 'measured')), _connector='OR'), name='recist_length_is_of_a_measured_target')],
            },
        ),
    ]
