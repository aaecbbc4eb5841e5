"""Densities of LID_θ of generated samples by label, one panel per estimator (paper Figs. 5b, 5c)."""

from mmh.figures.sample_lid import SampleLid


class LidModel(SampleLid):
    """Densities of LID_θ of generated samples by label, one panel per estimator (paper Figs. 5b, 5c)."""

    name = "lid_model"
    paper = "Figs. 5b, 5c"
    papers = ("Fig. 5c", "Fig. 5b")
    shows = "LID_θ by label: normal bundle and FLIPD; Jacobian rank of a GAN"
    caption = (
        "Figs. 5b, 5c. Density of LID_θ by label, one panel per estimator: FLIPD, normal bundle, or the "
        "rank of a GAN's Jacobian. Medians with 95 % intervals, given this one model. While nobody has "
        "labelled the candidates, groups are their ranks, and the figure says so."
    )
    quantity = r"$\widehat{\mathrm{LID}}_\theta$"
    unit = "dimensions"
    axis = r"$\widehat{\mathrm{LID}}_\theta$ of the sample (dimensions)"
