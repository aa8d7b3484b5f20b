from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0007_population_reviews'),
    ]

    operations = [
        migrations.AddField(
            model_name='export',
            name='privacy',
            field=models.CharField(choices=[('full', "Full: as recorded, for the trial's people"), ('limited', 'Limited: dates shifted, no free text'), ('safe_harbor', 'HIPAA Safe Harbor: years, no sites, codes')], default='full', max_length=20),
        ),
    ]
