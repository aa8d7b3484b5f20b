import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0017_computed_positivity'),
    ]

    operations = [
        migrations.AlterField(
            model_name='delegation',
            name='duty',
            field=models.CharField(choices=[('consent', 'Obtain consent'), ('assess', 'Assess eligibility'), ('sign', 'Sign eligibility'), ('enrol', 'Enrol patients'), ('inject', 'Inject tracers'), ('record', 'Fill in case report forms')], max_length=10),
        ),
        migrations.AlterField(
            model_name='signature',
            name='meaning',
            field=models.CharField(choices=[('eligibility', 'I have reviewed the evidence and confirm this verdict'), ('delegation', 'I delegate this duty and answer for it'), ('deviation', 'I know of this deviation and answer for it'), ('read', 'I have read these images and confirm these findings'), ('form', 'I have reviewed this form and answer for what it says')], max_length=20),
        ),
        migrations.AlterField(
            model_name='sourceverification',
            name='criterion',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.eligibilitycriterion'),
        ),
        migrations.CreateModel(
            name='FormEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('form', models.CharField(max_length=30)),
                ('visit', models.CharField(blank=True, max_length=20)),
                ('repeat', models.PositiveIntegerField(default=1)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('complete', 'Complete'), ('undone', 'Taken back')], default='draft', max_length=10)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('undone_because', models.CharField(blank=True, max_length=400)),
                ('begun_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('completed_at', models.DateTimeField(blank=True, null=True)),
                ('report_due_at', models.DateTimeField(blank=True, null=True)),
                ('begun_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('completed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='form_entries', to='trials.patient')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.protocolversion')),
            ],
            options={
                'verbose_name_plural': 'form entries',
                'ordering': ['patient', 'form', 'visit', 'repeat', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='FormDraft',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('given', models.JSONField(default=dict)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('saved_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('saved_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('entry', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='draft', to='trials.formentry')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='ItemValue',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('item', models.CharField(max_length=30)),
                ('value', models.JSONField(null=True)),
                ('missing', models.CharField(blank=True, max_length=4)),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('entry', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='values', to='trials.formentry')),
            ],
            options={
                'ordering': ['entry', 'pk'],
            },
        ),
        migrations.AddField(
            model_name='sourceverification',
            name='item_value',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='verifications', to='trials.itemvalue'),
        ),
        migrations.AddConstraint(
            model_name='sourceverification',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('criterion__isnull', False), ('item_value__isnull', True)), models.Q(('criterion__isnull', True), ('item_value__isnull', False)), _connector='OR'), name='verified_criterion_or_value'),
        ),
        migrations.AddIndex(
            model_name='formentry',
            index=models.Index(condition=models.Q(('report_due_at__isnull', False)), fields=['report_due_at'], name='form_report_due'),
        ),
        migrations.AddConstraint(
            model_name='formentry',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'undone'), _negated=True), fields=('patient', 'form', 'visit', 'repeat'), name='form_entered_once'),
        ),
        migrations.AddConstraint(
            model_name='formentry',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'complete'), _negated=True), ('completed_at__isnull', False), _connector='OR'), name='form_complete_has_time'),
        ),
        migrations.AddConstraint(
            model_name='itemvalue',
            constraint=models.UniqueConstraint(fields=('entry', 'item'), name='item_entered_once'),
        ),
        migrations.AddConstraint(
            model_name='itemvalue',
            constraint=models.CheckConstraint(condition=models.Q(('missing', ''), ('value__isnull', True), _connector='OR'), name='item_value_or_missing'),
        ),
    ]
