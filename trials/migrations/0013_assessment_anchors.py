
import django.db.models.fields.json
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0012_visit_record'),
    ]

    operations = [
        migrations.AddField(
            model_name='eligibilityassessment',
            name='anchors',
            field=models.GeneratedField(db_persist=True, expression=django.db.models.fields.json.KeyTransform('anchors', django.db.models.fields.json.KeyTransform('record', 'inputs')), output_field=models.JSONField(null=True)),
        ),
    ]
