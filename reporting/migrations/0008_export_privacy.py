from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0007_population_reviews'),
    ]

    operations = [
        migrations.AddField(
            model_name='export',
            name='privacy',
            field=models.CharField(choices=[('full', "Full: as the record has it, for the trial's own people"), ('limited', 'Limited data set: dates shifted per patient, no free text'), ('safe_harbor', 'HIPAA Safe Harbor: years only, no sites, patients by codes')], default='full', max_length=20),
        ),
    ]
