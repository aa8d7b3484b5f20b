from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0031_scopes_of_tokens'),
    ]

    operations = [
        migrations.AlterField(
            model_name='signature',
            name='meaning',
            field=models.CharField(choices=[('eligibility', 'I have reviewed the evidence and confirm this verdict'), ('delegation', 'I delegate this duty and answer for it'), ('deviation', 'I know of this deviation and answer for it'), ('read', 'I have read these images and confirm these findings'), ('adjudication', 'I have compared these reads and settle what they differ in'), ('form', 'I have reviewed this form and answer for what it says'), ('monitoring', 'I held this monitoring visit and answer for this report'), ('population', 'I reviewed these data blind and decide who is analysed')], max_length=20),
        ),
    ]
