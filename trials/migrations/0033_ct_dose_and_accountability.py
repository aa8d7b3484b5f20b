import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0032_populations'),
    ]

    operations = [
        migrations.AddField(
            model_name='headerstatement',
            name='compared_evidence',
            field=models.PositiveBigIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='headerstatement',
            name='ct_dose',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AlterField(
            model_name='signature',
            name='meaning',
            field=models.CharField(choices=[('eligibility', 'I have reviewed the evidence and confirm this verdict'), ('delegation', 'I delegate this duty and answer for it'), ('deviation', 'I know of this deviation and answer for it'), ('read', 'I have read these images and confirm these findings'), ('adjudication', 'I have compared these reads and settle what they differ in'), ('form', 'I have reviewed this form and answer for what it says'), ('monitoring', 'I held this monitoring visit and answer for this report'), ('population', 'I reviewed these data blind and decide who is analysed'), ('accountability', 'I compared this tracer accountability with its sources and answer for the review')], max_length=20),
        ),
        migrations.CreateModel(
            name='AccountabilityReview',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('tracer', models.CharField(max_length=40)),
                ('remark', models.TextField(blank=True)),
                ('balance', models.JSONField()),
                ('movements', models.JSONField()),
                ('sha256', models.CharField(max_length=64)),
                ('reviewed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('reviewed_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('site', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='accountability_reviews', to='trials.site')),
            ],
            options={
                'ordering': ['site', 'tracer', '-reviewed_at', '-pk'],
            },
        ),
    ]
