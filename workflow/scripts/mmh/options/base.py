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

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError, core_schema

from mmh.options.entries import Entry

__all__ = [
    "BatchSize",
    "Block",
    "Blocks",
    "ComputedName",
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
    """Options of one section: unknown keys are refused, and nothing is converted from another type.

    Attributes
    ----------
    needs : tuple of str
        Sections of the experiment that this one cannot do without.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)
    needs: ClassVar[tuple[str, ...]] = ()

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """Find what contradicts the rest of the experiment, as `mmh.rows.Row.check` does."""
        yield from ()


@dataclass(frozen=True)
class Block:
    """Marks a mapping whose options depend on what it says under one key, or on which keys it has.

    Attributes
    ----------
    key : str
        The key that names an alternative; empty if `chosen` decides.
    alternatives : callable
        Gives, by name, what a block may hold.
    chosen : callable, optional
        Gives the name of the alternative for a block and the block around it.
    text : str
        What such a block is, where many of them stand in a mapping: ``a law of known dimension``.
    """

    key: str
    alternatives: Callable[[], Mapping[str, "Alternative"]]
    chosen: Callable[[Mapping[str, Any], Mapping[str, Any]], str] | None = None
    text: str = ""


@dataclass(frozen=True)
class Alternative:
    """What a block may hold.

    Attributes
    ----------
    forms : tuple of type
        The classes that share its keys; the last one has its own, the others those of the plan.
    row : type, optional
        The row that it stands for.
    text : str
        What it is, if the docstring of the last class does not say it.
    owner : str
        Who asks for the keys of the last class, if not the block itself: ``a model of kind 'gan'``.
    """

    forms: tuple[type[Options], ...]
    row: Any = None
    text: str = ""
    owner: str = ""


@dataclass(frozen=True)
class Blocks:
    """Marks a mapping of names to blocks, where the names themselves say which alternative a block is."""

    alternatives: Callable[[], Mapping[str, Alternative]]


@dataclass(frozen=True)
class Named:
    """Marks a text that names something declared elsewhere in the configuration.

    Attributes
    ----------
    what : str
        What it names; `mmh.options.names` knows where those are declared.
    said : str
        What messages call it; `what` by default.
    names : callable, optional
        Gives the names, if the configuration does not declare them.
    """

    what: str
    said: str = ""
    names: Callable[[], list[str]] | None = None


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
"""Anything that gives a score, distances to the matched training image included."""
ComputedName = Annotated[str, Named("computed estimator")]
"""A name under `estimators`."""
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
