"""The database: tables, engines, the one writing thread, migrations, audit events."""
