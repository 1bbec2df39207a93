"""Base of all configuration: frozen pydantic models that know their units and refuse unknown fields."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One section of a chip description. Each field carries its range (`ge`, `le`) and its unit in `description`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
