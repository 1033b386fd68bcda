"""The cloud's own fixtures, for the tests that attack it in this process."""

from tests.cloud.conftest import (  # noqa: F401 - pytest finds them by their names here
    add_pile,
    as_operator,
    client,
    cloud,
    link,
    operator,
    phone,
    pile,
    settings,
)
