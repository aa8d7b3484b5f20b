from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("trials", "0030_sealed_allocations"),
    ]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="scope",
            field=models.CharField(
                blank=True,
                choices=[
                    ("export:blinded", "export:blinded"),
                    ("export:unblinded", "export:unblinded"),
                ],
                default="",
                max_length=20,
            ),
        ),
    ]
