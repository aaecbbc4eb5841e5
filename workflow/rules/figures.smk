"""Figures: each reads saved tables only, takes seconds, and needs neither torch nor a GPU.

INPUTS: what the figure names, workflow/scripts/mmh/figures/<figure>.py
OUTPUTS: results/<experiment>/figures/<figure>.pdf, .png, and .csv with the plotted numbers
"""


rule draw_figure:
    """Draw one figure from saved tables; its inputs, options and caption stand in mmh/figures/<figure>.py."""
    input:
        unpack(plan.figures.inputs),
    output:
        pdf="results/{experiment}/figures/{figure}.pdf",
        png=report(
            "results/{experiment}/figures/{figure}.png",
            caption="../report/figure.rst",
            category="Figures",
            subcategory="{experiment}",
            labels=plan.figures.labels,
        ),
        csv="results/{experiment}/figures/{figure}.csv",
    log:
        "logs/draw_figure/{experiment}/{figure}.log",
    benchmark:
        "benchmarks/draw_figure/{experiment}/{figure}.jsonl"
    priority: plan.early
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=plan.code("draw_figure.py", plan.figures.drawn_by),
        options=plan.figures.options,
        about=plan.figures.about,
        untracked=plan.figures.untracked,
    script:
        "../scripts/draw_figure.py"
