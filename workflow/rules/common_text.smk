"""Input functions of the text-to-image rules.

INPUTS: config.yaml
OUTPUTS: none; image_sets.smk, text_to_image.smk and figures.smk use the functions below
"""


def experiments_having(section):
    """Pattern of the experiments that have a section."""
    return "|".join(name for name, entry in config["experiments"].items() if entry.get(section)) or "(?!)"


def listed_image_sets():
    """Pattern of the image sets that are fetched from lists."""
    entries = [entry.get("image_sets", {}) for entry in config["experiments"].values()]
    return "|".join(sorted({name for sets in entries for name, o in sets.items() if "files" in o})) or "(?!)"


def image_set_options(wildcards):
    return config["experiments"][wildcards.experiment]["image_sets"][wildcards.item_set]


def list_options(wildcards):
    """What decides which rows of the lists a set has."""
    options = image_set_options(wildcards)
    return {key: options[key] for key in ("columns", "header", "where", "draw") if key in options}


def ledger_options(wildcards):
    options = image_set_options(wildcards)
    return {key: options[key] for key in ("columns", "placeholder_count", "placeholders") if key in options}


def import_options(wildcards):
    options = image_set_options(wildcards)
    return {key: options[key] for key in ("size", "aspect", "n")}


def listed_digests(wildcards):
    """Declared digests of the lists, not compared between runs."""
    options = image_set_options(wildcards)
    names = [*options["files"], *options.get("captions", [])]
    return SimpleNamespace(digests={name: config["sources"][name]["sha256"] for name in names})


def fetching_options(wildcards):
    """How images are fetched: nothing that a finished set depends on."""
    options = config.get("fetching", {})
    return SimpleNamespace(
        fetching=options,
        offline=config.get("offline", False),
        max_pixels=options.get("max_pixels", 50_000_000),
    )


def image_store(wildcards):
    return f"resources/images/{wildcards.item_set}"


def listing_files(key):
    """Input function: the files under `key` of an image set."""

    def files(wildcards):
        return [f"{plan.DOWNLOADS}/{name}" for name in image_set_options(wildcards).get(key, [])]

    return files


def prompt_list_files(wildcards):
    """Lists of prompts: a dropped file goes before a fetched one."""
    lists = config["experiments"][wildcards.experiment].get("prompt_lists", {})
    dropped = {name: Path("resources", "prompts", entry["file"]) for name, entry in lists.items()}
    return [
        str(dropped[name]) if dropped[name].is_file() else f"{plan.DOWNLOADS}/{entry['file']}"
        for name, entry in lists.items()
    ]


def prompt_columns(wildcards):
    lists = config["experiments"][wildcards.experiment]["prompt_lists"]
    return {name: entry.get("column", "caption") for name, entry in lists.items()}


def prompt_counts(wildcards):
    return config["experiments"][wildcards.experiment].get("prompts", {}).get("sets", {})


def prompt_families(wildcards):
    return config["experiments"][wildcards.experiment].get("prompt_audit", {}).get("families", {})


def audited_lists(wildcards):
    """Lists to audit; an embedded world has a table of prompts instead."""
    return config["experiments"][wildcards.experiment].get("prompt_lists", {})


def audited_prompts(wildcards):
    return [] if audited_lists(wildcards) else f"results/{wildcards.experiment}/prompts.parquet"


def loading(wildcards):
    """How a text-to-image model is loaded; nothing for other models."""
    latents = config["experiments"][wildcards.experiment].get("latents")
    keys = ("dtype", "attention_slicing", "vae_tiling")
    return {"load": {key: latents[key] for key in keys}} if latents else {}


def latent_options(wildcards):
    latents = config["experiments"][wildcards.experiment]["latents"]
    return {"batch_size": latents["batch_size"], **loading(wildcards)}


def caption_table(wildcards):
    """Captions of an image set with captions; nothing for other items."""
    entry = config["experiments"][wildcards.experiment]
    captioned = wildcards.item_set in plan.captioned_sets(entry)
    return f"results/{wildcards.experiment}/image_sets/{wildcards.item_set}.parquet" if captioned else []


def caption_tables(wildcards):
    return plan.caption_tables(config, wildcards.experiment)


def prompt_options(wildcards):
    options = config["experiments"][wildcards.experiment]["prompts"]
    keys = ("generations", "steps", "guidance", "trace", "probe", "batch_size")
    latents = config["experiments"][wildcards.experiment]["latents"]
    chosen = {key: options[key] for key in keys if key in options}
    return {**chosen, "decode_batch_size": latents["batch_size"], **loading(wildcards)}


def generation_files(wildcards):
    return plan.prompt_files(config, wildcards.experiment, "generations", "npz")


def walked_generations(wildcards):
    """Generations of the prompt set that `manifold_walk` shows."""
    name = config["experiments"][wildcards.experiment]["figures"]["manifold_walk"]["prompt_set"]
    return [file for file in generation_files(wildcards) if Path(file).parent.name == name]


def matched_generations(wildcards):
    names = [name for name in config["run"] if config["experiments"][name].get("prompts")]
    return [f"results/{name}/generation_matches.parquet" for name in names]


def prompt_score_files(wildcards):
    return plan.prompt_files(config, wildcards.experiment, "prompt_scores", "parquet")


def prompt_images(wildcards):
    """Where the training images of prompts are."""
    where = config["experiments"][wildcards.experiment]["prompts"]["images"]
    folder = f"results/{wildcards.experiment}"
    return f"{folder}/data/train.npz" if where == "train" else f"{folder}/image_sets/{where}.npz"


def prompt_image_captions(wildcards):
    where = config["experiments"][wildcards.experiment]["prompts"]["images"]
    return [] if where == "train" else f"results/{wildcards.experiment}/image_sets/{where}.parquet"


def prompt_descriptor(wildcards):
    return descriptor_path(config["experiments"][wildcards.experiment]["prompts"]["descriptor"])


def match_options(wildcards):
    options = config["experiments"][wildcards.experiment]["prompts"]
    return {"preprocess": options["preprocess"], "batch_size": options["batch_size"]}


def detection_inputs(wildcards):
    """Tables that detectors are evaluated on; an empty list stands for what an experiment does not evaluate."""
    options = config["experiments"][wildcards.experiment]["detection"]
    images, prompts = "images" in options, "prompts" in options
    folder = f"results/{wildcards.experiment}"
    return {
        "scores": f"{folder}/scores.parquet" if images else [],
        "image_sets": caption_tables(wildcards) if images else [],
        "prompts": f"{folder}/prompts.parquet" if prompts else [],
        "prompt_scores": prompt_score_files(wildcards) if prompts else [],
    }


def attrition_files(wildcards):
    """How many images of each list were asked for, and how many could be had."""
    sets = config["experiments"][wildcards.experiment].get("image_sets", {})
    folder = f"results/{wildcards.experiment}/image_sets"
    return [f"{folder}/{name}.counts.json" for name, options in sets.items() if "files" in options]


def text_figure_options(figure):
    """Params function: a figure's options, and those of the evaluation that it repeats."""

    def options(wildcards):
        extra = {}
        if figure == "prompt_detection":
            detection = config["experiments"][wildcards.experiment]["detection"]
            extra = {key: detection["prompts"][key] for key in ("steps", "generations")}
            extra["resamples"] = detection["resamples"]
        return {**extra, **figure_options(figure)(wildcards)}

    return options
