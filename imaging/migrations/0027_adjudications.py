import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0026_ended_reads'),
        ('trials', '0023_counted_reads'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name='read',
            name='is_adjudication',
            field=models.BooleanField(default=False),
        ),
        migrations.CreateModel(
            name='Adjudication',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('third-reader', 'Third reader'), ('consensus', 'Consensus of the readers')], max_length=12)),
                ('reason', models.CharField(blank=True, max_length=400)),
                ('state', models.CharField(choices=[('begun', 'Begun'), ('proposed', 'Proposed to the other reader'), ('signed', 'Signed'), ('void', 'Void')], default='begun', max_length=10)),
                ('begun_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('signed_at', models.DateTimeField(null=True)),
                ('voided_at', models.DateTimeField(null=True)),
                ('void_because', models.CharField(blank=True, max_length=200)),
                ('adjudicator', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='adjudications', to=settings.AUTH_USER_MODEL)),
                ('chosen', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='chosen_by_adjudications', to='imaging.read')),
                ('reads', models.ManyToManyField(related_name='adjudications', to='imaging.read')),
                ('scheduled_scan', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='adjudications', to='trials.scheduledscan')),
            ],
            options={
                'ordering': ['scheduled_scan', 'pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'void'), _negated=True), fields=('scheduled_scan',), name='one_adjudication_of_a_scan'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ('proposed', 'signed')), _negated=True), models.Q(('chosen__isnull', False), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='signed_adjudication_chooses'), models.CheckConstraint(condition=models.Q(models.Q(('state', 'void'), ('voided_at__isnull', False), models.Q(('void_because', ''), _negated=True)), models.Q(models.Q(('state', 'void'), _negated=True), ('void_because', ''), ('voided_at', None)), _connector='OR'), name='void_adjudication_says_why')],
            },
        ),
        migrations.CreateModel(
            name='ReaderAgreement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('question', models.CharField(choices=[('lesion-number', 'the number of lesions'), ('scan', 'whether the scan is positive'), ('region', 'whether a region is positive'), ('lesion', 'whether a lesion is there, by matching in space'), ('adrenal-side', 'the side of the adrenals'), ('response', 'the category of response')], max_length=20)),
                ('subject', models.CharField(blank=True, max_length=40)),
                ('first_answer', models.CharField(max_length=40)),
                ('second_answer', models.CharField(max_length=40)),
                ('is_comparable', models.BooleanField()),
                ('is_discordant', models.BooleanField()),
                ('is_asked', models.BooleanField()),
                ('compared_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ended_at', models.DateTimeField(null=True)),
                ('first', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='answers_as_first', to='imaging.read')),
                ('second', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='answers_as_second', to='imaging.read')),
            ],
            options={
                'ordering': ['first', 'second', 'pk'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('ended_at', None)), fields=('first', 'second', 'question', 'subject'), name='answered_once'), models.CheckConstraint(condition=models.Q(('first', models.F('second')), _negated=True), name='answers_of_two_reads')],
            },
        ),
    ]
