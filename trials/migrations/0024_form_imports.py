import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0023_counted_reads'),
    ]

    operations = [
        migrations.CreateModel(
            name='FormImport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('form', models.CharField(max_length=30)),
                ('source', models.CharField(max_length=80)),
                ('import_id', models.CharField(max_length=80)),
                ('file_name', models.CharField(max_length=200)),
                ('file_sha256', models.CharField(max_length=64)),
                ('content', models.BinaryField()),
                ('reading', models.JSONField(default=dict)),
                ('state', models.CharField(choices=[('reading', 'Being read'), ('read', 'To be confirmed'), ('entering', 'Being entered'), ('done', 'Entered'), ('refused', 'Refused'), ('replaced', 'Sent anew')], default='reading', max_length=10)),
                ('plan', models.JSONField(default=dict)),
                ('plan_sha256', models.CharField(blank=True, max_length=64)),
                ('counts', models.JSONField(default=dict)),
                ('message', models.CharField(blank=True, max_length=1000)),
                ('reason', models.CharField(blank=True, max_length=400)),
                ('sent_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('entered_at', models.DateTimeField(blank=True, null=True)),
                ('confirmed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('sent_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('trial', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='form_imports', to='trials.trial')),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='ImportedLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('entry', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='imported_lines', to='trials.formentry')),
                ('form_import', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='trials.formimport')),
            ],
            options={
                'ordering': ['form_import', 'number'],
            },
        ),
        migrations.AddField(
            model_name='itemvalue',
            name='imported_line',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='trials.importedline'),
        ),
        migrations.AddConstraint(
            model_name='formimport',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'done')), fields=('trial', 'form', 'source', 'import_id'), name='form_import_entered_once'),
        ),
        migrations.AddConstraint(
            model_name='importedline',
            constraint=models.UniqueConstraint(fields=('form_import', 'number'), name='imported_line_once'),
        ),
    ]
