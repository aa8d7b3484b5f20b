from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0023_responses'),
    ]

    operations = [
        migrations.AddField(
            model_name='grownlesion',
            name='came_to',
            field=models.JSONField(default=dict),
        ),
    ]
