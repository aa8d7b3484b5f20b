
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0016_drawn_lesions'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='LesionComparison',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('tracers', 'Two tracers'), ('times', 'Two times of one tracer')], max_length=10)),
                ('shift', models.JSONField(default=dict)),
                ('shift_how', models.CharField(blank=True, max_length=200)),
                ('parameters', models.JSONField()),
                ('software_version', models.CharField(max_length=40)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('signed', 'Signed'), ('overtaken', 'Overtaken')], default='draft', max_length=10)),
                ('proposed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('signed_at', models.DateTimeField(null=True)),
                ('first', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='compared_as_first', to='imaging.read')),
                ('reader', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='comparisons', to=settings.AUTH_USER_MODEL)),
                ('second', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='compared_as_second', to='imaging.read')),
                ('superseded_by', models.OneToOneField(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='supersedes', to='imaging.lesioncomparison')),
            ],
            options={
                'ordering': ['pk'],
            },
        ),
        migrations.CreateModel(
            name='LesionPair',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('first_parts', models.JSONField(default=list)),
                ('second_parts', models.JSONField(default=list)),
                ('outcome', models.CharField(choices=[('both', 'In both'), ('first-only', 'In the first alone'), ('second-only', 'In the second alone'), ('not-covered', 'Outside the other scan')], max_length=12)),
                ('matched_by', models.CharField(blank=True, choices=[('overlap', 'Shared volume'), ('distance', 'Distance'), ('reader', 'Reader')], max_length=10)),
                ('shared_ml', models.FloatField(null=True)),
                ('dice', models.FloatField(null=True)),
                ('distance_mm', models.FloatField(null=True)),
                ('region', models.CharField(blank=True, choices=[('waldeyer', "Waldeyer's ring"), ('nodes_cervical_right', 'Cervical nodes, right'), ('nodes_cervical_left', 'Cervical nodes, left'), ('nodes_supraclavicular_right', 'Supraclavicular nodes, right'), ('nodes_supraclavicular_left', 'Supraclavicular nodes, left'), ('nodes_axillary_right', 'Axillary nodes, right'), ('nodes_axillary_left', 'Axillary nodes, left'), ('nodes_mediastinal', 'Mediastinal nodes'), ('nodes_hilar_right', 'Hilar nodes, right'), ('nodes_hilar_left', 'Hilar nodes, left'), ('nodes_paraaortic', 'Para-aortic nodes'), ('nodes_mesenteric', 'Mesenteric nodes'), ('nodes_iliac_right', 'Iliac nodes, right'), ('nodes_iliac_left', 'Iliac nodes, left'), ('nodes_inguinal_right', 'Inguinal nodes, right'), ('nodes_inguinal_left', 'Inguinal nodes, left'), ('nodes_other', 'Other nodes'), ('brain_right', 'Brain, right'), ('brain_left', 'Brain, left'), ('brain_midline', 'Brain, midline or both sides'), ('orbit_right', 'Orbit, right'), ('orbit_left', 'Orbit, left'), ('head_and_neck', 'Head and neck, other'), ('thyroid', 'Thyroid'), ('lung_right', 'Lung, right'), ('lung_left', 'Lung, left'), ('pleura', 'Pleura'), ('heart', 'Heart and pericardium'), ('breast_right', 'Breast, right'), ('breast_left', 'Breast, left'), ('oesophagus', 'Oesophagus'), ('stomach', 'Stomach'), ('bowel', 'Bowel'), ('liver', 'Liver'), ('spleen', 'Spleen'), ('pancreas', 'Pancreas'), ('adrenal_right', 'Adrenal, right'), ('adrenal_left', 'Adrenal, left'), ('kidney_right', 'Kidney, right'), ('kidney_left', 'Kidney, left'), ('peritoneum', 'Peritoneum'), ('pelvic_organs', 'Pelvic organs'), ('skull', 'Skull'), ('spine_cervical', 'Spine, cervical'), ('spine_thoracic', 'Spine, thoracic'), ('spine_lumbar', 'Spine, lumbar'), ('sacrum_and_pelvis', 'Sacrum and pelvis'), ('ribs_and_sternum', 'Ribs, sternum, clavicles, scapulae'), ('arm_right', 'Arm bones, right'), ('arm_left', 'Arm bones, left'), ('leg_right', 'Leg bones, right'), ('leg_left', 'Leg bones, left'), ('soft_tissue', 'Muscle and soft tissue'), ('skin', 'Skin'), ('other', 'Elsewhere')], max_length=30)),
                ('regions_differ', models.BooleanField(default=False)),
                ('status', models.CharField(choices=[('proposed', 'Proposed'), ('confirmed', 'Confirmed'), ('rejected', 'Rejected')], default='proposed', max_length=10)),
                ('decided_at', models.DateTimeField(null=True)),
                ('comparison', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='pairs', to='imaging.lesioncomparison')),
                ('first', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='paired_as_first', to='imaging.lesionread')),
                ('second', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='paired_as_second', to='imaging.lesionread')),
            ],
            options={
                'ordering': ['comparison', 'number'],
            },
        ),
        migrations.AddConstraint(
            model_name='lesioncomparison',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'draft')), fields=('first', 'second'), name='one_draft_comparison'),
        ),
        migrations.AddConstraint(
            model_name='lesioncomparison',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'signed'), ('superseded_by', None)), fields=('first', 'second'), name='one_standing_comparison'),
        ),
        migrations.AddConstraint(
            model_name='lesioncomparison',
            constraint=models.CheckConstraint(condition=models.Q(('first', models.F('second')), _negated=True), name='compared_with_another'),
        ),
        migrations.AddConstraint(
            model_name='lesioncomparison',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('signed_at__isnull', False), ('state', 'signed')), models.Q(models.Q(('state', 'signed'), _negated=True), ('signed_at', None), ('superseded_by', None)), _connector='OR'), name='signed_comparison_has_its_time'),
        ),
        migrations.AddConstraint(
            model_name='lesionpair',
            constraint=models.UniqueConstraint(fields=('comparison', 'number'), name='pair_once'),
        ),
        migrations.AddConstraint(
            model_name='lesionpair',
            constraint=models.CheckConstraint(condition=models.Q(('first__isnull', False), ('second__isnull', False), _connector='OR'), name='pair_of_a_lesion'),
        ),
        migrations.AddConstraint(
            model_name='lesionpair',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('first__isnull', False), ('outcome', 'both'), ('second__isnull', False)), models.Q(models.Q(('outcome', 'both'), _negated=True), models.Q(('first', None), ('second', None), _connector='OR')), _connector='OR'), name='pair_in_both_has_both'),
        ),
    ]
