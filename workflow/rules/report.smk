"""Summary for the terminal and run times; the report itself is `make report` (snakemake --report).

INPUTS: evaluation.csv, claims.csv, labels, benchmarks of all rules
OUTPUTS: results/claims.csv, results/summary.txt, results/runtime.csv; of a run of one experiment in its own folder
"""


rule gather_claims:
    """Put the claims of all experiments together, each adjusted for how many there are."""
    input:
        claims=plan.run.claims,
    output:
        claims=report(
            plan.run.either("results/claims.csv", "results/{experiment}/claims_adjusted.csv"),
            caption="../report/all_claims.rst",
            category="Tables",
            labels={"table": "claims, all experiments"},
        ),
    log:
        "logs/gather_claims.log",
    benchmark:
        "benchmarks/gather_claims.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("gather_claims.py"),
    script:
        "../scripts/gather_claims.py"


rule summarize:
    """Write the table that ends a run: what was memorized, AUCs with intervals, claims."""
    input:
        evaluations=plan.run.evaluations,
        raters=plan.run.raters,
        claims=plan.run.claims_of_all,
        labels=plan.run.labels,
        sheets=plan.run.sheets,
        generations=plan.run.generations,
    output:
        summary=report(
            plan.run.either("results/summary.txt", "results/{experiment}/summary.txt"),
            caption="../report/summary.rst",
            category="Tables",
            labels={"table": "summary, all experiments"},
        ),
    log:
        "logs/summarize.log",
    benchmark:
        "benchmarks/summarize.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("summarize.py"),
    script:
        "../scripts/summarize.py"


rule collect_run_records:
    """Gather how every score was computed: method, dtype, attention, device, time, versions."""
    input:
        scores=plan.run.numerics,
    output:
        run_records=report(
            plan.run.either("results/run_records.csv", "results/{experiment}/run_records.csv"),
            caption="../report/run_records.rst",
            category="Tables",
            labels={"table": "numerics, all experiments"},
        ),
    log:
        "logs/collect_run_records.log",
    benchmark:
        "benchmarks/collect_run_records.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("collect_run_records.py"),
    script:
        "../scripts/collect_run_records.py"


rule collect_benchmarks:
    """Gather wall time and peak memory of every job into one table."""
    input:
        done=plan.run.finished,
    output:
        runtime=report(
            plan.run.either("results/runtime.csv", "results/{experiment}/runtime.csv"),
            caption="../report/runtime.rst",
            category="Tables",
            labels={"table": "run times, all experiments"},
        ),
    log:
        "logs/collect_benchmarks.log",
    benchmark:
        "benchmarks/collect_benchmarks.jsonl"
    localrule: True
    conda:
        "../../envs/plot.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("collect_benchmarks.py"),
        folder="benchmarks",
    script:
        "../scripts/collect_benchmarks.py"
