#!/bin/bash
# The first time: a copy of the primary ($PRIMARY), under a name of its own until it is whole. From then on: follows
# it. To promote: pg_ctl promote.
set -euo pipefail
if [ ! -e "$PGDATA" ]; then
    rm -rf "$PGDATA.part"
    # Commits wait for this replica, so the copy does not wait for a checkpoint that takes its time.
    pg_basebackup --dbname="$PRIMARY" --pgdata="$PGDATA.part" --slot=replica --wal-method=stream --checkpoint=fast -R
    # Nobody follows this one: once promoted, it must not wait for a replica.
    sed -i '/^synchronous_standby_names/d' "$PGDATA.part/postgresql.auto.conf"
    mv "$PGDATA.part" "$PGDATA"
fi
exec postgres
