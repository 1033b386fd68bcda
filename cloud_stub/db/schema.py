"""All tables of the database: what migrations and their tests compare with it."""

from . import audit as audit
from . import ocpp_tables as ocpp_tables
from . import payment_tables as payment_tables
from . import people_tables as people_tables
from . import pile_tables as pile_tables
from . import receiver_tables as receiver_tables
from . import release_tables as release_tables
from . import site_tables as site_tables
from .tables import metadata as metadata
