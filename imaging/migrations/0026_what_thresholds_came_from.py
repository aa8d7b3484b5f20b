from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0025_objects_of_reads'),
    ]

    operations = [
        migrations.AddField(
            model_name='grownlesion',
            name='came_to',
            field=models.JSONField(default=dict),
        ),
    ]
