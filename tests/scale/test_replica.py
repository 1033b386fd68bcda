"""compose.scale.yaml's two databases come up, a commit is on both, and the replica takes over."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tests.scale.images import BOUND_S, Cluster
from tests.servers import postgres_or_skip

pytestmark = pytest.mark.system


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with postgres_or_skip(Cluster) as made:
        yield made


def wait_until(cluster: Cluster, service: str, query: str) -> None:
    """Returns once `query` says true there."""
    pause = threading.Event()
    with cluster.connect(service) as conn:
        for _ in range(BOUND_S * 20):
            row = conn.execute(query.encode()).fetchone()
            if row and row[0]:
                return
            pause.wait(0.05)
    raise AssertionError(f"{service}: never true: {query}")


def test_a_commit_waits_for_the_replica_which_takes_over(cluster: Cluster):
    cluster.make_primary()
    cluster.start_primary()

    done = threading.Event()

    def commit() -> None:
        with cluster.connect("postgres") as conn:
            conn.execute("CREATE TABLE kept (n int)")
            conn.execute("INSERT INTO kept VALUES (1)")
        done.set()

    worker = threading.Thread(target=commit, daemon=True)
    worker.start()
    wait_until(
        cluster, "postgres", "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')"
    )
    assert not done.is_set()
    cluster.start_replica()
    assert done.wait(BOUND_S)
    worker.join(BOUND_S)
    wait_until(
        cluster,
        "postgres",
        "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = 'replica'"
        " AND state = 'streaming' AND sync_state = 'quorum')",
    )

    # It comes back from its copy as well as from the primary, with as many connections.
    cluster.stop_replica()
    cluster.start_replica()
    with cluster.connect("replica") as conn:
        assert conn.execute("SHOW max_connections").fetchone() == ("300",)

    assert cluster.primary is not None
    cluster.primary.kill()
    cluster.promote()
    with cluster.connect("replica") as conn:
        assert conn.execute("SELECT n FROM kept").fetchall() == [(1,)]
        conn.execute("INSERT INTO kept VALUES (2)")  # and waits for nobody
        assert conn.execute("SELECT count(*) FROM kept").fetchone() == (2,)


def test_a_copy_that_was_cut_off_is_made_again(cluster: Cluster):
    cluster.make_primary()
    cluster.start_primary()
    cluster.leave_half_a_copy()
    cluster.start_replica()
    with cluster.connect("postgres") as conn:
        conn.execute("CREATE TABLE kept (n int)")
