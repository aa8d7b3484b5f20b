from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trials", "0017_computed_positivity"),
        ("trials", "0018_case_report_forms"),
    ]

    operations = [
        migrations.AlterField(
            model_name="finding",
            name="test",
            field=models.CharField(
                choices=[
                    ("LESNUM", "Number of lesions"),
                    ("SUVMAX", "SUVmax"),
                    ("SUVMEAN", "SUVmean"),
                    ("SUVPEAK", "SUVpeak"),
                    ("VOLUME", "Volume"),
                    ("UPTAKE", "Total uptake"),
                    ("DMAX", "Largest distance between two lesions"),
                    ("VISPOS", "Visual positivity"),
                    ("CMPPOS", "Computed positivity"),
                    ("ADRMAXL", "SUVmax of the left adrenal"),
                    ("ADRMAXR", "SUVmax of the right adrenal"),
                    ("ADRLIVL", "Left adrenal over liver"),
                    ("ADRLIVR", "Right adrenal over liver"),
                    ("ADRRATIO", "Dominant over contralateral adrenal"),
                    ("ADRINDEX", "Left/right index of the adrenals"),
                    ("ADRSIDE", "Side of the adrenals by PET"),
                ],
                max_length=10,
            ),
        ),
    ]
