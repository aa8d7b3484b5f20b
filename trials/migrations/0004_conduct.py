
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0003_rescheduling'),
    ]

    operations = [
        migrations.AddField(
            model_name='consent',
            name='obtained_by_user',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='consent',
            name='options',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='deviation',
            name='is_important',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='eligibilityassessment',
            name='engine',
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.AddField(
            model_name='eligibilityassessment',
            name='inputs',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='eligibilityassessment',
            name='inputs_sha256',
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name='evidence',
            name='details',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='injection',
            name='injected_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='patient',
            name='rescreening_of',
            field=models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='rescreened_as', to='trials.patient'),
        ),
        migrations.AddField(
            model_name='patient',
            name='screening_number',
            field=models.CharField(default='', max_length=40),
        ),
        migrations.AddField(
            model_name='plannedscan',
            name='coverage',
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AddField(
            model_name='plannedscan',
            name='reconstruction',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='plannedscan',
            name='reference_regions',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='protocolversion',
            name='text',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='site',
            name='principal_investigator',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='leads_sites', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='site',
            name='state',
            field=models.CharField(choices=[('planned', 'Planned'), ('active', 'Active'), ('suspended', 'Suspended'), ('closed', 'Closed')], default='planned', max_length=10),
        ),
        migrations.AddField(
            model_name='tracer',
            name='mbq_per_kg_high',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='tracer',
            name='mbq_per_kg_low',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='tracer',
            name='mbq_per_kg_target',
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='consent',
            name='signatory',
            field=models.CharField(choices=[('patient', 'Patient'), ('representative', 'Legal representative'), ('witnessed', 'Patient, before an impartial witness')], default='patient', max_length=20),
        ),
        migrations.CreateModel(
            name='Cohort',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('identifier', models.CharField(max_length=40)),
                ('label', models.CharField(max_length=120)),
                ('arm', models.CharField(blank=True, max_length=40)),
                ('cap', models.PositiveIntegerField(blank=True, null=True)),
                ('source', models.JSONField(default=list)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cohorts', to='trials.protocolversion')),
            ],
            options={
                'ordering': ['version', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='CohortClosure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('cohort', models.CharField(max_length=40)),
                ('closed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('reopened_at', models.DateTimeField(blank=True, null=True)),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='cohort_closures', to='trials.trial')),
            ],
            options={
                'ordering': ['trial', 'cohort', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='ConflictSettlement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('conflict', models.CharField(max_length=120)),
                ('choice', models.TextField()),
                ('basis', models.TextField()),
                ('settled_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('settled_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='settlements', to='trials.trial')),
            ],
            options={
                'ordering': ['trial', 'conflict', '-settled_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='ConsentVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.CharField(max_length=40)),
                ('language', models.CharField(max_length=10)),
                ('valid_from', models.DateField()),
                ('valid_until', models.DateField(blank=True, null=True)),
                ('requires_reconsent', models.BooleanField(default=False)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='consent_versions', to='trials.site')),
            ],
            options={
                'ordering': ['site', '-valid_from', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='PlannedVisit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('identifier', models.CharField(max_length=40)),
                ('label', models.CharField(max_length=120)),
                ('epoch', models.CharField(blank=True, max_length=40)),
                ('anchor', models.CharField(blank=True, max_length=60)),
                ('target', models.CharField(blank=True, max_length=20)),
                ('earliest', models.CharField(blank=True, max_length=20)),
                ('latest', models.CharField(blank=True, max_length=20)),
                ('source', models.JSONField(default=list)),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='planned_visits', to='trials.protocolversion')),
            ],
            options={
                'ordering': ['version', 'position'],
            },
        ),
        migrations.AddField(
            model_name='plannedscan',
            name='visit',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='planned_scans', to='trials.plannedvisit'),
        ),
        migrations.CreateModel(
            name='ProtocolActivation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('effective_on', models.DateField()),
                ('reference', models.CharField(blank=True, max_length=200)),
                ('activated_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('activated_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='activations', to='trials.site')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='activations', to='trials.protocolversion')),
            ],
            options={
                'ordering': ['site', '-effective_on', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='ScreenFailure',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('category', models.CharField(choices=[('criteria', 'Eligibility criteria not satisfied'), ('declined', 'Patient declined'), ('clinician', 'Decision of the physician'), ('lost', 'Lost to contact'), ('time', 'Screening period over'), ('closed', 'Cohort or site closed'), ('other', 'Other')], max_length=10)),
                ('criteria', models.JSONField(default=list)),
                ('text', models.TextField(blank=True)),
                ('ended_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ended_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('patient', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='screen_failure', to='trials.patient')),
            ],
            options={
                'ordering': ['-ended_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='Signature',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject_table', models.CharField(max_length=63)),
                ('subject_pk', models.BigIntegerField()),
                ('meaning', models.CharField(choices=[('eligibility', 'I have reviewed the evidence and confirm this verdict'), ('delegation', 'I delegate this duty and answer for it'), ('deviation', 'I know of this deviation and answer for it')], max_length=20)),
                ('signer_name', models.CharField(max_length=200)),
                ('signed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('content', models.JSONField()),
                ('content_sha256', models.CharField(max_length=64)),
                ('patient', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='trials.patient')),
                ('signed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='trials.site')),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='signatures', to='trials.trial')),
            ],
            options={
                'ordering': ['-signed_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='Enrolment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('is_despite_criteria', models.BooleanField(default=False)),
                ('enrolled_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('assessment', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.eligibilityassessment')),
                ('cohort', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='enrolments', to='trials.cohort')),
                ('consent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.consent')),
                ('enrolled_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('patient', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='enrolment', to='trials.patient')),
                ('signature', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.signature')),
            ],
            options={
                'ordering': ['-enrolled_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='Delegation',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('duty', models.CharField(choices=[('consent', 'Obtain consent'), ('assess', 'Assess eligibility'), ('sign', 'Sign eligibility'), ('enrol', 'Enrol patients'), ('inject', 'Inject tracers')], max_length=10)),
                ('starts_on', models.DateField()),
                ('ends_on', models.DateField(blank=True, null=True)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='delegations', to='trials.site')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='delegations', to=settings.AUTH_USER_MODEL)),
                ('signature', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='delegation', to='trials.signature')),
            ],
            options={
                'ordering': ['site', 'user', 'duty', '-starts_on', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='SiteApproval',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('ethics', 'Approval of the ethics committee'), ('authority', 'Approval of the authority'), ('radiation_protection', 'Radiation protection'), ('contract', 'Contract'), ('initiation_visit', 'Initiation visit'), ('scanner', 'Scanner qualified for a tracer')], max_length=30)),
                ('tracer', models.CharField(blank=True, max_length=40)),
                ('reference', models.CharField(max_length=200)),
                ('granted_on', models.DateField()),
                ('expires_on', models.DateField(blank=True, null=True)),
                ('ended_on', models.DateField(blank=True, null=True)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('recorded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='approvals', to='trials.site')),
            ],
            options={
                'ordering': ['site', 'kind', 'tracer', '-granted_on', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='SourceVerification',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('evidence_sha256', models.CharField(max_length=64)),
                ('note', models.TextField(blank=True)),
                ('verified_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('criterion', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.eligibilitycriterion')),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='verifications', to='trials.patient')),
                ('scheduled_scan', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.scheduledscan')),
                ('verified_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['patient', '-verified_at', '-pk'],
            },
        ),
        migrations.CreateModel(
            name='Withdrawal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('extent', models.CharField(choices=[('scans', 'No more scans; what was collected is used'), ('use', 'No more use of what was collected'), ('destroy', 'No more use, and the images are destroyed')], max_length=10)),
                ('initiative', models.CharField(choices=[('patient', 'Patient'), ('investigator', 'Investigator'), ('sponsor', 'Sponsor')], max_length=15)),
                ('withdrawn_at', models.CharField(max_length=32)),
                ('text', models.TextField()),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('patient', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='withdrawals', to='trials.patient')),
                ('recorded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['patient', '-pk'],
            },
        ),
        migrations.AddConstraint(
            model_name='cohort',
            constraint=models.UniqueConstraint(fields=('version', 'identifier'), name='cohort_once'),
        ),
        migrations.AddConstraint(
            model_name='cohortclosure',
            constraint=models.UniqueConstraint(condition=models.Q(('reopened_at__isnull', True)), fields=('trial', 'cohort'), name='cohort_closed_once'),
        ),
        migrations.AddConstraint(
            model_name='consentversion',
            constraint=models.UniqueConstraint(fields=('site', 'version', 'language'), name='consent_version_once'),
        ),
        migrations.AddConstraint(
            model_name='plannedvisit',
            constraint=models.UniqueConstraint(fields=('version', 'identifier'), name='planned_visit_once'),
        ),
        migrations.AddIndex(
            model_name='signature',
            index=models.Index(fields=['subject_table', 'subject_pk'], name='signature_of'),
        ),
        migrations.AddConstraint(
            model_name='delegation',
            constraint=models.CheckConstraint(condition=models.Q(('ends_on__isnull', True), ('ends_on__gte', models.F('starts_on')), _connector='OR'), name='delegation_ends_after_start'),
        ),
        migrations.AddConstraint(
            model_name='siteapproval',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('kind', 'scanner'), models.Q(('tracer', ''), _negated=True)), models.Q(models.Q(('kind', 'scanner'), _negated=True), ('tracer', '')), _connector='OR'), name='approval_scanner_names_tracer'),
        ),
    ]
