"""Eigenvalues of the log-density's Hessian at two noise levels, memorized images against others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from mmh.detection.options import not_computed
from mmh.figures.base import About, Figure, Files, clustered_files
from mmh.options import base as options
from mmh.options.base import EstimatorName, Field, ImageSetName, Unique

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mmh.options.entries import Entry
    from mmh.plan.experiment import Experiment

METHOD = "eigenvalues"
OWN = ("samples", "selected")


class Spectra(Figure):
    """Histograms of all eigenvalues, and the share that no exact score can have."""

    name = "spectra"
    paper = "sharpness paper, Figs. 2, 5"
    shows = "eigenvalues of the log-density's Hessian at a high and at a low noise level"
    caption = (
        "Eigenvalues λ of the Hessian of the log-density at noised images, at a high and at a low noise "
        "level: all of them, of the symmetrised Jacobian, or of more than 256 values their distribution by "
        "stochastic Lanczos quadrature, as is said below. Dashed: minus 1/σ². An exact score has no "
        "eigenvalue below it, so what lies beyond is the network's error; its share is printed with its "
        "interval over clusters of images, given this one model."
    )
    needs = ("estimators",)

    class Options(options.Options):
        """Options of the figure."""

        first: EstimatorName
        """estimator of the method eigenvalues at a high noise level"""
        last: EstimatorName
        """the same at a low one"""
        sets: Annotated[list[ImageSetName], Field(min_length=2), Unique()] | None = None
        """image sets, the memorized one first; without them samples are shown by their label"""

    @classmethod
    def check(cls, options: Any, experiment: Entry, where: str) -> Iterator[str]:
        """Estimators without eigenvalues, or not of these images."""
        for key in ("first", "last"):
            name = getattr(options, key)
            found = experiment.section("estimators").get(name, {})
            if found.get("method", METHOD) != METHOD:
                yield f"{where}.{key}: {name!r} is of the method {found['method']!r}; name one of {METHOD!r}"
            elif options.sets:
                yield from not_computed(experiment, [name], options.sets, f"{where}.{key}")
            elif not set(found.get("items", OWN)) & set(OWN):
                yield f"{where}.{key}: {name!r} is not of samples; name image sets under {where}.sets"
        if not options.sets and not experiment.section("labels"):
            yield f"{where}.sets: missing, as there are no labels; name image sets, the memorized one first"

    @classmethod
    def inputs(cls, experiment: Experiment) -> Files:
        """Files that it is drawn from."""
        options = experiment.entry["figures"][cls.name]
        files: Files = {key: cls._spectra(experiment, options, key) for key in ("first", "last")}
        if options.get("sets"):
            return files | {"image_sets": experiment.caption_tables}
        return files | {"image_sets": [], **clustered_files(experiment)}

    @classmethod
    def _spectra(cls, experiment: Experiment, options: Any, key: str) -> list[str]:
        """Spectra of one noise level, set by set."""
        name = options[key]
        known = experiment.estimators[name]["items"]
        sets = options.get("sets") or [items for items in known if items in OWN]
        return [file for items in sets for file in experiment.spectra_files(items, name)]

    @classmethod
    def reads(cls, experiment: Experiment) -> dict[str, Any]:
        """The two noise levels."""
        chosen = experiment.entry["figures"][cls.name]
        return {key: experiment.estimators[chosen[key]]["t"] for key in ("first", "last")}

    @staticmethod
    def draw(  # type: ignore[override]
        *,
        first: list[Path],
        last: list[Path],
        image_sets: list[Path],
        pdf: Path,
        png: Path,
        csv: Path,
        options: Spectra.Options,
        about: About,
        labels: Path | None = None,
        matches: Path | None = None,
        candidates: Path | list[Path] = (),  # type: ignore[assignment]
        train: Path | None = None,
    ) -> None:
        """Draw the figure: a panel for each level, the groups over each other."""
        import pandas as pd

        from mmh.evaluation.image_sets import read_sets
        from mmh.evaluation.samples import UNITS
        from mmh.plotting import groups, set_panels, style
        from mmh.plotting.sharpness import eigenvalues

        note = ""
        if options.sets:
            looks, unit = set_panels.set_looks(options.sets), "family"
            table = read_sets(image_sets)
            table = table.assign(label=table["items"], cluster=table["family"])
        else:
            assert labels is not None
            assert matches is not None
            assert train is not None
            found = groups.read_groups(labels, matches, candidates)
            rows = groups.clustered(found.rows, train)
            rows = rows[rows["sample"] >= about.calibration].rename(columns={"sample": "item"})
            own = {path.parent.parent.name for path in first}
            table = pd.concat([rows.assign(items=name) for name in sorted(own)], ignore_index=True)
            looks, unit, note = dict(found.looks), UNITS["group"], found.note
        keys = ["items", "item", "label", "cluster"]
        levels = [
            eigenvalues.read_level(files, table[keys], place=place, estimator=name, t=about.more[key])
            for key, place, files, name in (
                ("first", "high noise", first, options.first),
                ("last", "low noise", last, options.last),
            )
        ]
        shown = {name: look for name, look in looks.items() if all(len(one.of(name)[0]) for one in levels)}
        counts = pd.concat([eigenvalues.histograms(one, list(shown)) for one in levels], ignore_index=True)
        shares = pd.concat([eigenvalues.shares_beyond(one, list(shown), unit) for one in levels])
        what = "eigenvalues of the Hessian of the log-density"
        fig = eigenvalues.spectra_figure(
            counts,
            shares,
            shown,
            title=style.heading(None, what, about.experiment),
            note=note,
            quadrature=any(one.weights is not None for one in levels),
        )
        style.save(fig, pdf, png)
        parts = {"histogram": counts, "share": shares}
        style.write_numbers([part.assign(kind=kind) for kind, part in parts.items()], csv)
