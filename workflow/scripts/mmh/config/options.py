"""The base of every declared option, whose type, range, default and description stand once, beside its use.

A section of the configuration is a subclass of `Options`; a field's docstring says what it is, in which unit,
and what its values mean. From these classes follow the checks, their messages, and the schema for editors.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "BatchSize",
    "DescriptorName",
    "EstimatorName",
    "ExperimentName",
    "Field",
    "ImageSetName",
    "Options",
]


class Options(BaseModel):
    """Options of one section: unknown keys are refused, and nothing is converted from another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)


@dataclass(frozen=True)
class Named:
    """Marks a text that names something declared elsewhere in the configuration."""

    what: str


EstimatorName = Annotated[str, Named("estimator")]
ImageSetName = Annotated[str, Named("image set")]
PromptSetName = Annotated[str, Named("prompt set")]
DescriptorName = Annotated[str, Named("descriptor")]
SourceName = Annotated[str, Named("source")]
ExperimentName = Annotated[str, Named("experiment")]
BatchSize = Annotated[int, Field(ge=1)] | Literal["auto"]
