
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0011_unblinded_exports'),
    ]

    operations = [
        migrations.AddField(
            model_name='export',
            name='cut_off',
            field=models.DateField(blank=True, null=True),
        ),
    ]
