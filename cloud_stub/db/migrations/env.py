"""Run by Alembic: migrations over the connection that store.Store.migrate hands in."""

from alembic import context

from cloud_stub.db.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
