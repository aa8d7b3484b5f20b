from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trials', '0027_truth_panel'),
    ]

    operations = [
        migrations.AlterField(
            model_name='countedread',
            name='basis',
            field=models.CharField(choices=[('only', 'The only read'), ('agreed', 'The readers agree'), ('adjudicated', 'Adjudicated'), ('awaiting-response', 'Awaiting the response by each reader'), ('awaiting-readers', 'Awaiting a further reader'), ('awaiting-adjudication', 'Readers differ, awaiting adjudication'), ('unsettled', 'Readers differ, and nothing settles it')], max_length=24),
        ),
    ]
