"""Twenty rounds of kill -9 during orders, and the books balance. The long form: make chaos ROUNDS=300
SEED=1."""

import secrets

import pytest

from tools.harness import chaos

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


@pytest.mark.long
def test_the_books_balance_after_twenty_rounds_of_kill_9(tmp_path):
    seed = secrets.randbelow(10**6)
    said = []
    wrong = chaos.run(rounds=20, seed=seed, piles=4, data=tmp_path / "chaos", say=said.append)
    assert not wrong, f"seed {seed}\n" + "\n".join([*said, *wrong])
