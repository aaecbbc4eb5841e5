"""The section `claims`: which are tested; each claim has its options beside its test."""

import functools
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import create_model

from mmh.claims.base import CLAIMS, claim_numbers, claim_options
from mmh.options.base import Field, Options, Unique
from mmh.options.entries import Entry
from mmh.options.forms import fields, nodes
from mmh.options.names import unknown_names
from mmh.options.plugin_rows import mistakes_of


class ClaimsPlan(Options):
    """Claims of the papers to test."""

    check: list[str]
    """Numbers of the claims: docs/claims.md."""

    def mistakes(self, experiment: Entry, where: str) -> Iterator[str]:
        """What a claim needs and refuses, and names that it has by default and that are not there."""
        given = experiment.at(where)
        for number in self.check:
            claim = CLAIMS[number]
            for section in claim.needs:
                part: Any = experiment.entry
                for key in section.split("."):
                    part = part.get(key) or {}
                if not part:
                    yield f"{where}.{number}: needs the section {section!r}, which this experiment lacks"
            if claim.worlds and experiment.world not in claim.worlds:
                yield f"{where}.{number}: is about the world {', '.join(claim.worlds)} only"
            own = {key: given[key] for key in fields(claim.Options) if key in given}
            check = functools.partial(claim.check, claim.Options.model_validate(own), experiment, where)
            yield from mistakes_of(claim, check, where)
        for key, of in {key: of for n in self.check for key, of in fields(CLAIMS[n].Options).items()}.items():
            if key not in given:
                default = claim_options().model_fields[key].get_default()
                parts = nodes(of, default, (*where.split("."), key))
                yield from unknown_names(parts, experiment.config, experiment)


def claim_forms() -> tuple[type[Options], type[Options]]:
    """The classes of the section: what is tested, and the options of all claims together."""
    return _forms(tuple(claim_numbers()))


@functools.cache
def _forms(numbers: tuple[str, ...]) -> tuple[type[Options], type[Options]]:
    known = Annotated[list[Literal[numbers]], Field(min_length=1), Unique()]  # type: ignore[valid-type]
    plan = create_model("Claims", __base__=ClaimsPlan, __doc__=ClaimsPlan.__doc__, check=(known, ...))
    return plan, claim_options()
