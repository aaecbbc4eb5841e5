"""A figure: the values of one estimator by label."""

from mmh.figures.base import Figure
from mmh.options import base as options
from mmh.options.base import EstimatorName


class ScoreByLabel(Figure):
    """A strip of points for each label."""

    name = "score_by_label"
    shows = "one score by label"
    caption = "Values of one estimator at the samples, by label."
    needs = ("labels", "estimators")

    class Options(options.Options):
        """Options of the figure."""

        estimator: EstimatorName
        """name of an estimator of the samples"""

    @classmethod
    def inputs(cls, experiment):
        """Files that it is drawn from."""
        folder = experiment.folder
        return {"scores": f"{folder}/scores.parquet", "labels": f"{folder}/labels.parquet"}

    @staticmethod
    def draw(*, scores, labels, pdf, png, csv, options, about):
        """Draw it, and write what it plots."""
        from mmh.evaluation.selection import single
        from mmh.io.table_files import read_table
        from mmh.io.tables import ALL_SCORES, LABELS
        from mmh.labels.classes import sample_classes
        from mmh.plotting import style

        classes = sample_classes(read_table(labels, LABELS))
        values = single(read_table(scores, ALL_SCORES), options.estimator, "samples")
        frame = classes.merge(values, left_on="sample", right_on="item")[["sample", "label", "value"]]
        fig = style.figure(style.COLUMN, 2.0)
        axes = fig.subplots()
        axes.plot(frame["value"], frame["label"], "|")
        axes.set_xlabel(about.names.get(options.estimator, options.estimator))
        style.save(fig, pdf, png)
        style.write_numbers(frame, csv)
