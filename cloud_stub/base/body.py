"""What the JSON bodies of requests have in common."""

from pydantic import BaseModel, ConfigDict


class Body(BaseModel):
    # Only these members, of exactly these types: a misspelled member is an error, and "1" is no number.
    model_config = ConfigDict(extra="forbid", strict=True)
