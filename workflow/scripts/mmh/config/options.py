"""The base of every declared option, whose type, range, default and description stand once, beside its use.

A section of the configuration is a subclass of `Options`; a field's docstring says what it is, in which unit,
and what its values mean. From these classes follow the checks, their messages, and the schema for editors.

>>> class Walk(Options):
...     steps: int = Field(ge=1)
...     \"\"\"Steps of the walk.\"\"\"
...     grid: Literal["correct", "published"] = "correct"
...     \"\"\"``published``: one step too many, as in the authors' code.\"\"\"

A default of None says that the key may be left out and that there is then no such value.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError, core_schema

__all__ = [
    "BatchSize",
    "DescriptorName",
    "EstimatorName",
    "ExperimentName",
    "Field",
    "ImageSetName",
    "ItemSetName",
    "NoiseLevel",
    "Options",
    "Percentile",
    "PromptSetName",
    "SourceName",
    "Unique",
]


class Options(BaseModel):
    """Options of one section: unknown keys are refused, and nothing is converted from another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


@dataclass(frozen=True)
class Named:
    """Marks a text that names something declared elsewhere in the configuration."""

    what: str


@dataclass(frozen=True)
class Unique:
    """Marks a list that holds nothing twice: ``Annotated[list[EstimatorName], Unique()]``."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        return core_schema.no_info_after_validator_function(_without_repeats, handler(source))

    def __get_pydantic_json_schema__(self, schema: Any, handler: Callable[[Any], Any]) -> Any:
        return {**handler(schema), "uniqueItems": True}


def _without_repeats(values: list[Any]) -> list[Any]:
    if any(value in values[:place] for place, value in enumerate(values)):
        raise PydanticCustomError("repeats", "has non-unique elements")
    return values


EstimatorName = Annotated[str, Named("estimator")]
ItemSetName = Annotated[str, Named("item set")]
"""``samples``, ``selected``, ``train``, or a name under `image_sets`."""
ImageSetName = Annotated[str, Named("image set")]
PromptSetName = Annotated[str, Named("prompt set")]
DescriptorName = Annotated[str, Named("descriptor")]
SourceName = Annotated[str, Named("source")]
ExperimentName = Annotated[str, Named("experiment")]
BatchSize = Annotated[int, Field(ge=1)] | Literal["auto"]
NoiseLevel = Annotated[float, Field(gt=0, le=1)]
Percentile = Annotated[float, Field(gt=0, lt=100)]
