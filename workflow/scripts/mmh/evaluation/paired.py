"""LID of the same images by two models: the rows of ``paired.csv``."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mmh.errors import InputError

DATA = "lid_data."
"""Before the name of each estimator of LID_*, where there are several."""


def data_columns(paired: pd.DataFrame) -> dict[str, str]:
    """Columns of LID_* by its estimator; without a name where there is one alone."""
    several = {name.removeprefix(DATA): name for name in paired if str(name).startswith(DATA)}
    return several or {"": "lid_data"}


def paired_lid(
    overfit: pd.DataFrame,
    control: pd.DataFrame,
    overfit_train: pd.DataFrame,
    control_train: pd.DataFrame,
    *,
    control_items: str,
    model_estimator: str,
    data_estimator: str,
    others: Sequence[str] = (),
) -> pd.DataFrame:
    """Put LID_*, the overfit model's and the control's LID of the same images side by side.

    LID_* is that of the control's training set, which holds the overfit model's training images among many
    more; the two tables of training images name the common source image.

    Parameters
    ----------
    overfit, control : pandas.DataFrame
        Score tables (with `items`) of the two experiments.
    overfit_train, control_train : pandas.DataFrame
        Their training images: `train` and `source`.
    control_items : str
        Name of the image set under which the control scored the overfit model's training images.
    model_estimator : str
        LID_theta, one value per item in both tables.
    data_estimator : str
        LID_*, of the control's training images.
    others : sequence of str
        Further estimators of LID_*.

    Returns
    -------
    pandas.DataFrame
        `item` int64, id among the overfit model's training images; `lid_data`, `lid_model`, `lid_control`
        and their standard errors `se_data`, `se_model`, `se_control` (empty where an estimate has none),
        float64; sorted by item. With `others` also ``lid_data.<name>`` of each estimator of LID_*.

    Raises
    ------
    InputError
        If an estimator is absent or has several values for an item, or an image lacks one of the three.
    """

    def column(table: pd.DataFrame, group: str, estimator: str) -> pd.DataFrame:
        rows = table[(table["items"] == group) & (table["estimator"] == estimator)]
        if rows.empty or rows["item"].duplicated().any():
            raise InputError(
                f"'{estimator}' of '{group}' must have one value per item, it has {len(rows)} rows"
            )
        return rows.set_index("item")[["value", "stderr"]]

    sources = overfit_train.set_index("train")["source"].sort_index()

    def of_data(estimator: str) -> pd.DataFrame:
        data = column(control, "train", estimator).rename(control_train.set_index("train")["source"])
        return data[~data.index.duplicated()].reindex(sources.to_numpy())

    columns = {
        "data": of_data(data_estimator),
        "model": column(overfit, "train", model_estimator).reindex(sources.index),
        "control": column(control, control_items, model_estimator).reindex(sources.index),
    }
    joined = pd.DataFrame({"item": sources.index})
    for prefix, what in (("lid", "value"), ("se", "stderr")):
        for name, table in columns.items():
            joined[f"{prefix}_{name}"] = table[what].to_numpy(np.float64)
    for other in (data_estimator, *others) if others else ():
        joined[f"{DATA}{other}"] = of_data(other)["value"].to_numpy(np.float64)
    for name in columns:
        lacking = joined["item"][joined[f"lid_{name}"].isna()]
        if len(lacking):
            raise InputError(
                f"training image {lacking.iloc[0]} has no lid_{name}; is it in the control's set?"
            )
    return joined
