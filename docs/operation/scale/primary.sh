#!/bin/bash
# Once, when the primary's cluster is made: the replica's user and its slot, and the settings of both servers, which
# the replica takes over with its copy. To change max_connections later: at the replica first.
set -euo pipefail
psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --set=ON_ERROR_STOP=1 \
    --set=password="$REPLICATION_PASSWORD" <<'SQL'
CREATE ROLE replicator WITH REPLICATION LOGIN PASSWORD :'password';
SELECT pg_create_physical_replication_slot('replica');
ALTER SYSTEM SET max_connections = 300;
ALTER SYSTEM SET max_slot_wal_keep_size = '20GB';
-- A settlement that was acknowledged is gone from its pile: its commit waits for the replica's disk too. Here, not as
-- an argument of the server: the image gives those to the server that runs this as well, where no replica can come.
ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (replica)';
SQL
echo "host replication replicator all scram-sha-256" >> "$PGDATA/pg_hba.conf"
