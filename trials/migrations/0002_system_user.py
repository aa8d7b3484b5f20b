"""The named actor of what no person does. Made before the audit triggers ask who acts."""

from django.db import migrations


def create(apps, schema_editor):
    user = apps.get_model("trials", "User")
    user.objects.using(schema_editor.connection.alias).get_or_create(
        username="system",
        defaults={"first_name": "System", "is_system": True, "password": "!"},
    )


class Migration(migrations.Migration):
    dependencies = [("trials", "0001_initial")]

    operations = [migrations.RunPython(create, migrations.RunPython.noop)]
