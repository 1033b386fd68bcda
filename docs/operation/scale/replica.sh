#!/bin/bash
# The first time: a copy of the primary. From then on: follows it. To promote: pg_ctl promote.
set -euo pipefail
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    pg_basebackup --host=postgres --username=replicator --pgdata="$PGDATA" --slot=replica --wal-method=stream -R
    chmod 700 "$PGDATA"
    # The name that synchronous_standby_names waits for.
    sed -i "s/primary_conninfo = '/&application_name=replica /" "$PGDATA/postgresql.auto.conf"
fi
exec postgres -c hot_standby=on
