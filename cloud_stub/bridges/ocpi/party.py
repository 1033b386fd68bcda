"""The file that RATELOCK_OCPI_FILE names: the operator's ids, and what OCPI requires of each site."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...base.problems import invalid
from ...base.text import LINE_PATTERN, reason

STANDARDS = (
    *("CHADEMO", "CHAOJI", "GBT_AC", "GBT_DC", "TESLA_R", "TESLA_S", "NEMA_5_20", "NEMA_6_30", "NEMA_6_50"),
    *(f"DOMESTIC_{letter}" for letter in "ABCDEFGHIJKLMNO"),
    *("NEMA_10_30", "NEMA_10_50", "NEMA_14_30", "NEMA_14_50", "PANTOGRAPH_BOTTOM_UP", "PANTOGRAPH_TOP_DOWN"),
    *("IEC_60309_2_single_16", "IEC_60309_2_three_16", "IEC_60309_2_three_32", "IEC_60309_2_three_64"),
    *("IEC_62196_T1", "IEC_62196_T1_COMBO", "IEC_62196_T2", "IEC_62196_T2_COMBO", "IEC_62196_T3A"),
    "IEC_62196_T3C",
)
POWER_TYPES = ("AC_1_PHASE", "AC_2_PHASE", "AC_2_PHASE_SPLIT", "AC_3_PHASE", "DC")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Connector(_Part):
    """The socket or cable. max_voltage: volts, line to neutral; max_amperage: amperes."""

    standard: Literal[STANDARDS]  # type: ignore[valid-type] - the words of a table
    format: Literal["SOCKET", "CABLE"]
    power_type: Literal[POWER_TYPES]  # type: ignore[valid-type]
    max_voltage: int = Field(ge=1, le=2000)
    max_amperage: int = Field(ge=1, le=2000)


class Place(_Part):
    """What OCPI requires of a site beside the cloud's data. country: ISO 3166-1 alpha-3; decimal degrees."""

    address: str = Field(min_length=1, max_length=45, pattern=LINE_PATTERN)
    city: str = Field(min_length=1, max_length=45, pattern=LINE_PATTERN)
    postal_code: str | None = Field(default=None, min_length=1, max_length=10, pattern=LINE_PATTERN)
    country: str = Field(pattern="^[A-Z]{3}$")
    latitude: str = Field(pattern=r"^-?[0-9]{1,2}\.[0-9]{5,7}$")
    longitude: str = Field(pattern=r"^-?[0-9]{1,3}\.[0-9]{5,7}$")

    def members(self) -> dict[str, Any]:
        """The members of a location."""
        return {
            **self.model_dump(exclude={"latitude", "longitude"}, exclude_none=True),
            "coordinates": {"latitude": self.latitude, "longitude": self.longitude},
        }


class Party(_Part):
    """country_code: ISO 3166-1 alpha-2; party_id: as registered for the operator. connector: of all piles
    that `piles` does not name; `sites` and `piles` by id. A site that is not named is not exported.
    """

    country_code: str = Field(pattern="^[A-Z]{2}$")
    party_id: str = Field(pattern="^[A-Z0-9]{3}$")
    operator: str = Field(min_length=1, max_length=100, pattern=LINE_PATTERN)
    connector: Connector
    sites: dict[str, Place]
    piles: dict[str, Connector] = {}

    def connector_of(self, device_id: str) -> Connector:
        return self.piles.get(device_id, self.connector)

    def evse_uid(self, device_id: str, connector: int) -> str:
        return f"{device_id}-{connector}"

    def evse_id(self, device_id: str, connector: int) -> str:
        """In the format of eMI3: letters, digits and stars."""
        own = "".join(letter if letter.isalnum() else "*" for letter in device_id.upper())
        return f"{self.country_code}*{self.party_id}*E{own}*{connector}"


def load(file: Path) -> Party:
    """Raises OSError; Problem (InvalidRequest), which names each wrong member."""
    try:
        return Party.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise invalid(
            *((".".join(map(str, each["loc"])) or file.name, reason(each)) for each in error.errors())
        ) from None
