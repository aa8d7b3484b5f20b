
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('imaging', '0013_alarm_mail'),
    ]

    operations = [
        migrations.AddField(
            model_name='series',
            name='drawn_on',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='drawings', to='imaging.series'),
        ),
    ]
