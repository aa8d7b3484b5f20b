from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0005_printed_sheets'),
    ]

    operations = [
        migrations.AddField(
            model_name='export',
            name='formats',
            field=models.JSONField(default=list),
        ),
    ]
