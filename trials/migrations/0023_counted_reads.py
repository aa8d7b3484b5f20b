import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0022_movements_of_doses'),
    ]

    operations = [
        migrations.AddField(
            model_name='evidence',
            name='finding',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='evidence', to='trials.finding'),
        ),
        migrations.AddField(
            model_name='finding',
            name='role',
            field=models.CharField(choices=[('reader', 'Reader'), ('adjudicator', 'Adjudicator')], default='reader', max_length=12),
        ),
        migrations.AlterField(
            model_name='signature',
            name='meaning',
            field=models.CharField(choices=[('eligibility', 'I have reviewed the evidence and confirm this verdict'), ('delegation', 'I delegate this duty and answer for it'), ('deviation', 'I know of this deviation and answer for it'), ('read', 'I have read these images and confirm these findings'), ('adjudication', 'I have compared these reads and settle what they differ in'), ('form', 'I have reviewed this form and answer for what it says')], max_length=20),
        ),
        migrations.CreateModel(
            name='CountedRead',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('basis', models.CharField(choices=[('only', 'The only read'), ('agreed', 'The readers agree'), ('adjudicated', 'Adjudicated'), ('awaiting-readers', 'Awaiting a further reader'), ('awaiting-adjudication', 'Readers differ, awaiting adjudication'), ('unsettled', 'Readers differ, and nothing settles it')], max_length=24)),
                ('source_table', models.CharField(blank=True, max_length=63)),
                ('source_pk', models.BigIntegerField(null=True)),
                ('why', models.CharField(max_length=400)),
                ('since', models.DateTimeField(default=django.utils.timezone.now)),
                ('ended_at', models.DateTimeField(null=True)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='counted_reads', to='trials.patient')),
                ('scheduled_scan', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='counted_reads', to='trials.scheduledscan')),
            ],
            options={
                'ordering': ['scheduled_scan', 'pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('scheduled_scan',), name='one_counted_read'), models.CheckConstraint(condition=models.Q(models.Q(('basis__in', ('only', 'agreed', 'adjudicated')), ('source_pk__isnull', False)), models.Q(models.Q(('basis__in', ('only', 'agreed', 'adjudicated')), _negated=True), ('source_pk', None), ('source_table', '')), _connector='OR'), name='counted_read_is_a_read')],
            },
        ),
    ]
