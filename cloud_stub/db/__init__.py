"""The database: tables, engines, the one writing thread, migrations, events, the audit trail."""
