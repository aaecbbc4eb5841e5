"""Densities of LID_θ divided by image complexity, by label (paper Figs. 8a, 8b)."""

from mmh.figures.sample_lid import SampleLid


class LidComplexity(SampleLid):
    """Densities of LID_θ divided by image complexity, by label (paper Figs. 8a, 8b)."""

    name = "lid_complexity"
    paper = "Figs. 8a, 8b"
    papers = ("Fig. 8a", "Fig. 8b")
    shows = "LID_θ / PNG size by label"
    caption = (
        "Figs. 8a, 8b. LID_θ divided by PNG size, by label: image complexity taken out as a confounder. "
        "While nobody has labelled the candidates, groups are their ranks, and the figure says so."
    )
    quantity = r"$\widehat{\mathrm{LID}}_\theta$ / complexity"
    axis = r"$\widehat{\mathrm{LID}}_\theta$ / PNG size (dimensions per 1000 bits)"
    factor = 1000.0  # an image has hundreds to thousands of bits, and small decimals are hard to read
