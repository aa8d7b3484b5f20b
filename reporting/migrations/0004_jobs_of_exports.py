from django.db import migrations

# Jobs ordered before they said where they belong: those whose role reaches it see them too.
PLACED = """
update trials_job set trial_id = reporting_export.trial_id
from reporting_export
where trials_job.trial_id is null
and trials_job.arguments ->> 'export' = reporting_export.id::text
"""


class Migration(migrations.Migration):

    dependencies = [
        ('reporting', '0003_export_download'),
        ('trials', '0015_machines_and_jobs'),
    ]

    operations = [migrations.RunSQL(PLACED, migrations.RunSQL.noop)]
