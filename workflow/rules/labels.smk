"""Labels: by people from CSV files, or planted where the truth is known.

INPUTS: matches.parquet, candidates.parquet, resources/labels/<experiment>/*.csv or the planted truth
OUTPUTS: results/<experiment>/label_sheet.html, label_sheet.csv, label_sheet.parquet, labels/planted.csv,
    labels/distances.parquet, labels.parquet, label_votes.parquet, label_agreement.csv, disagreements.csv
"""


rule plant_labels:
    """Label the retrieved pairs of an embedded world by distance to its planted images."""
    input:
        matches="results/{experiment}/matches.parquet",
        samples=plan.images.samples,
        train="results/{experiment}/data/train.npz",
        table="results/{experiment}/data/train.parquet",
    output:
        labels="results/{experiment}/labels/planted.csv",
        distances="results/{experiment}/labels/distances.parquet",
    log:
        "logs/plant_labels/{experiment}.log",
    benchmark:
        "benchmarks/plant_labels/{experiment}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("plant_labels.py"),
        data=lookup("experiments/{experiment}/data", within=config),
        options=lookup("experiments/{experiment}/labels", within=config),
    script:
        "../scripts/plant_labels.py"


rule import_labels:
    """Check label files against the retrieved pairs and merge the raters."""
    input:
        files=plan.labels.files,
        matches="results/{experiment}/matches.parquet",
        sheet=plan.labels.sheet,
    output:
        labels="results/{experiment}/labels.parquet",
        votes="results/{experiment}/label_votes.parquet",
        agreement="results/{experiment}/label_agreement.csv",
        disagreements="results/{experiment}/disagreements.csv",
    log:
        "logs/import_labels/{experiment}.log",
    benchmark:
        "benchmarks/import_labels/{experiment}.jsonl"
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("import_labels.py"),
        options=lookup("experiments/{experiment}/labels", within=config),
        seed=lookup("seed", within=config),
    script:
        "../scripts/import_labels.py"


rule export_label_sheet:
    """Write the page on which people label the candidate pairs, and its spreadsheet form."""
    input:
        candidates="results/{experiment}/candidates.parquet",
        matches="results/{experiment}/matches.parquet",
        samples="results/{experiment}/selected.npz",
        train="results/{experiment}/data/train.npz",
        disagreements=plan.labels.disagreements,
    output:
        page="results/{experiment}/label_sheet.html",
        template="results/{experiment}/label_sheet.csv",
        sheet="results/{experiment}/label_sheet.parquet",
    log:
        "logs/export_label_sheet/{experiment}.log",
    benchmark:
        "benchmarks/export_label_sheet/{experiment}.jsonl"
    localrule: True
    conda:
        "../../envs/cpu.yaml"
    threads: 1
    resources:
        mem_mb=plan.memory,
        runtime=plan.runtime,
    params:
        code=code_digest("export_label_sheet.py"),
        options=lookup("experiments/{experiment}/label_sheet", within=config, default={"only": "all"}),
        seed=lookup("seed", within=config),
    script:
        "../scripts/export_label_sheet.py"
