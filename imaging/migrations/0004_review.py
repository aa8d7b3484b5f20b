
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0003_destruction'),
    ]

    operations = [
        migrations.AlterField(
            model_name='quantification',
            name='status',
            field=models.CharField(choices=[('computed', 'Computed'), ('flagged', 'Computed, flagged'), ('review', 'For review'), ('refused', 'Refused')], max_length=10),
        ),
    ]
