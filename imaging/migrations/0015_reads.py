
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0014_drawn_on'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='GrownLesion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('suvmax', models.FloatField()),
                ('suvmean', models.FloatField()),
                ('suvpeak', models.FloatField()),
                ('suvpeak_definition', models.CharField(max_length=30)),
                ('volume_ml', models.FloatField()),
                ('total_uptake', models.FloatField()),
                ('voxel_count', models.PositiveIntegerField()),
                ('suvmax_voxel', models.JSONField()),
                ('centroid_mm', models.JSONField()),
                ('has_partial_volume', models.BooleanField()),
                ('clicked_voxel', models.JSONField()),
                ('clicked_mm', models.JSONField()),
                ('parameters', models.JSONField()),
                ('threshold', models.FloatField()),
                ('holds_hotter', models.BooleanField()),
                ('grown_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['read', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='Read',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('signed', 'Signed'), ('overtaken', 'Overtaken')], default='draft', max_length=10)),
                ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('signed_at', models.DateTimeField(null=True)),
                ('quantification', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reads', to='imaging.quantification')),
                ('reader', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reads', to=settings.AUTH_USER_MODEL)),
                ('superseded_by', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='supersedes', to='imaging.read')),
            ],
            options={
                'ordering': ['quantification', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='LesionRead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('decision', models.CharField(choices=[('undecided', 'Undecided'), ('accepted', 'Lesion'), ('excluded', 'Not a lesion')], default='undecided', max_length=10)),
                ('organ', models.CharField(blank=True, choices=[('spleen', 'Spleen'), ('bone_marrow', 'Bone marrow'), ('adrenals', 'Adrenals'), ('kidneys', 'Kidneys and ureters'), ('bladder', 'Bladder'), ('waldeyer', "Waldeyer's ring"), ('brain', 'Brain'), ('heart', 'Heart'), ('bowel', 'Bowel'), ('liver', 'Liver'), ('stomach', 'Stomach'), ('salivary_glands', 'Salivary glands'), ('thyroid', 'Thyroid'), ('muscle', 'Muscle'), ('brown_fat', 'Brown fat'), ('blood_pool', 'Blood pool'), ('injection_site', 'Injection site'), ('other', 'Other: inflammation, artefact, …')], max_length=30)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('region', models.CharField(blank=True, choices=[('waldeyer', "Waldeyer's ring"), ('nodes_cervical_right', 'Cervical nodes, right'), ('nodes_cervical_left', 'Cervical nodes, left'), ('nodes_supraclavicular_right', 'Supraclavicular nodes, right'), ('nodes_supraclavicular_left', 'Supraclavicular nodes, left'), ('nodes_axillary_right', 'Axillary nodes, right'), ('nodes_axillary_left', 'Axillary nodes, left'), ('nodes_mediastinal', 'Mediastinal nodes'), ('nodes_hilar_right', 'Hilar nodes, right'), ('nodes_hilar_left', 'Hilar nodes, left'), ('nodes_paraaortic', 'Para-aortic nodes'), ('nodes_mesenteric', 'Mesenteric nodes'), ('nodes_iliac_right', 'Iliac nodes, right'), ('nodes_iliac_left', 'Iliac nodes, left'), ('nodes_inguinal_right', 'Inguinal nodes, right'), ('nodes_inguinal_left', 'Inguinal nodes, left'), ('nodes_other', 'Other nodes'), ('brain_right', 'Brain, right'), ('brain_left', 'Brain, left'), ('brain_midline', 'Brain, midline or both sides'), ('orbit_right', 'Orbit, right'), ('orbit_left', 'Orbit, left'), ('head_and_neck', 'Head and neck, other'), ('thyroid', 'Thyroid'), ('lung_right', 'Lung, right'), ('lung_left', 'Lung, left'), ('pleura', 'Pleura'), ('heart', 'Heart and pericardium'), ('breast_right', 'Breast, right'), ('breast_left', 'Breast, left'), ('oesophagus', 'Oesophagus'), ('stomach', 'Stomach'), ('bowel', 'Bowel'), ('liver', 'Liver'), ('spleen', 'Spleen'), ('pancreas', 'Pancreas'), ('adrenal_right', 'Adrenal, right'), ('adrenal_left', 'Adrenal, left'), ('kidney_right', 'Kidney, right'), ('kidney_left', 'Kidney, left'), ('peritoneum', 'Peritoneum'), ('pelvic_organs', 'Pelvic organs'), ('skull', 'Skull'), ('spine_cervical', 'Spine, cervical'), ('spine_thoracic', 'Spine, thoracic'), ('spine_lumbar', 'Spine, lumbar'), ('sacrum_and_pelvis', 'Sacrum and pelvis'), ('ribs_and_sternum', 'Ribs, sternum, clavicles, scapulae'), ('arm_right', 'Arm bones, right'), ('arm_left', 'Arm bones, left'), ('leg_right', 'Leg bones, right'), ('leg_left', 'Leg bones, left'), ('soft_tissue', 'Muscle and soft tissue'), ('skin', 'Skin'), ('other', 'Elsewhere')], max_length=30)),
                ('positivity', models.CharField(choices=[('not_stated', 'Not stated'), ('positive', 'Above the reference'), ('negative', 'Not above the reference')], default='not_stated', max_length=10)),
                ('decided_at', models.DateTimeField(null=True)),
                ('grown', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, to='imaging.grownlesion')),
                ('lesion', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='reads', to='imaging.lesion')),
                ('read', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lesion_reads', to='imaging.read')),
            ],
            options={
                'ordering': ['read', 'number'],
            },
        ),
        migrations.AddField(
            model_name='grownlesion',
            name='read',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='grown_lesions', to='imaging.read'),
        ),
        migrations.AddConstraint(
            model_name='read',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'draft')), fields=('quantification', 'reader'), name='one_draft_per_reader'),
        ),
        migrations.AddConstraint(
            model_name='read',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'signed'), ('superseded_by', None)), fields=('quantification', 'reader'), name='one_standing_read_per_reader'),
        ),
        migrations.AddConstraint(
            model_name='read',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('signed_at__isnull', False), ('state', 'signed')), models.Q(models.Q(('state', 'signed'), _negated=True), ('signed_at', None), ('superseded_by', None)), _connector='OR'), name='signed_read_has_its_time'),
        ),
        migrations.AddConstraint(
            model_name='lesionread',
            constraint=models.UniqueConstraint(fields=('read', 'number'), name='read_number_once'),
        ),
        migrations.AddConstraint(
            model_name='lesionread',
            constraint=models.UniqueConstraint(fields=('read', 'lesion'), name='lesion_read_once'),
        ),
        migrations.AddConstraint(
            model_name='lesionread',
            constraint=models.CheckConstraint(condition=models.Q(('lesion__isnull', False), ('grown__isnull', False), _connector='OR'), name='read_of_a_region'),
        ),
        migrations.AddConstraint(
            model_name='lesionread',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('decision', 'excluded'), _negated=True), models.Q(models.Q(('organ', ''), _negated=True), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='exclusion_has_organ_and_reason'),
        ),
    ]
