import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0025_form_moves'),
    ]

    operations = [
        migrations.AlterField(
            model_name='signature',
            name='meaning',
            field=models.CharField(choices=[('eligibility', 'I have reviewed the evidence and confirm this verdict'), ('delegation', 'I delegate this duty and answer for it'), ('deviation', 'I know of this deviation and answer for it'), ('read', 'I have read these images and confirm these findings'), ('adjudication', 'I have compared these reads and settle what they differ in'), ('form', 'I have reviewed this form and answer for what it says'), ('monitoring', 'I held this monitoring visit and answer for this report')], max_length=20),
        ),
        migrations.CreateModel(
            name='ActionItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('text', models.TextField()),
                ('owner', models.CharField(max_length=120)),
                ('due_on', models.DateField()),
                ('state', models.CharField(choices=[('open', 'Open'), ('done', 'Done, to be checked'), ('closed', 'Closed')], default='open', max_length=10)),
                ('raised_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('raised_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['visit', 'number'],
            },
        ),
        migrations.CreateModel(
            name='ActionItemTurn',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('open', 'Open'), ('done', 'Done, to be checked'), ('closed', 'Closed')], max_length=10)),
                ('text', models.TextField()),
                ('written_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('author', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('item', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='turns', to='trials.actionitem')),
            ],
            options={
                'ordering': ['item', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='MonitoringVisit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('initiation', 'Site initiation visit'), ('interim', 'Interim monitoring visit'), ('for_cause', 'Visit for cause'), ('remote', 'Remote monitoring visit'), ('close_out', 'Close-out visit')], max_length=12)),
                ('held_on', models.DateField()),
                ('attendees', models.TextField()),
                ('summary', models.TextField()),
                ('findings', models.TextField(blank=True)),
                ('version', models.PositiveIntegerField(default=1)),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('recorded_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='monitoring_visits', to='trials.site')),
            ],
            options={
                'ordering': ['-held_on', '-pk'],
            },
        ),
        migrations.AddField(
            model_name='actionitem',
            name='visit',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='items', to='trials.monitoringvisit'),
        ),
        migrations.AddConstraint(
            model_name='actionitem',
            constraint=models.UniqueConstraint(fields=('visit', 'number'), name='action_item_numbered_once'),
        ),
    ]
