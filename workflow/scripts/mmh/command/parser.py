"""The words of the command: what there is to ask for, and with which options."""

import argparse
import sys
from collections.abc import Sequence

from mmh.errors import InputError

_ABOUT = """\
Memorization in generative models: does a model memorize my images, my prompts?
A thin layer over Snakemake: each command writes or reads a configuration and runs the rules."""
_EXAMPLES = """\
examples:
  mmh audit --model my-ddpm --images my-pictures --holdout other-pictures --out audit
  mmh audit --model my-sd --prompts prompts.txt --control others.txt --budget standard --out audit
  mmh figure digits/lid_model"""


def parser() -> argparse.ArgumentParser:
    """Give the parser of the command line.

    Returns
    -------
    argparse.ArgumentParser
    """
    top = argparse.ArgumentParser(
        prog="mmh", description=_ABOUT, epilog=_EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    asked = commands.add_parser("audit", help="does a model memorize my images, my prompts?")
    asked.add_argument(
        "--model", required=True, metavar="DIR", help="diffusers folder, or StyleGAN2-ADA pickle"
    )
    asked.add_argument("--images", metavar="DIR", help="images that it was, or may have been, trained on")
    asked.add_argument("--prompts", metavar="FILE", help=".txt, .csv, .jsonl, .json or .parquet")
    asked.add_argument("--captioned", metavar="DIR", help="images with metadata.csv or metadata.jsonl")
    asked.add_argument("--holdout", metavar="DIR", help="images of the same kind that it was not trained on")
    asked.add_argument(
        "--control", metavar="FILE", help="prompts of the same kind that it was not trained on"
    )
    asked.add_argument(
        "--lora", metavar="FILE", help="LoRA of a text-to-image model, .safetensors as diffusers writes it"
    )
    asked.add_argument(
        "--sscd", metavar="FILE", help="published SSCD file (TorchScript): finds altered copies"
    )
    asked.add_argument(
        "--budget", choices=("quick", "standard", "full"), default="quick", help="default: quick"
    )
    asked.add_argument("--out", default="audit", metavar="DIR", help="where everything goes; default: audit")
    asked.add_argument("--dry-run", action="store_true", help="check, and write the configuration only")
    for name, said in (
        ("demo", "run every experiment under `run` in config.yaml, then the report"),
        ("reproduce", "run every experiment that needs no download"),
        ("report", "results/report.html from finished results"),
        ("status", "how far a run is"),
    ):
        commands.add_parser(name, help=said)
    figure = commands.add_parser("figure", help="make one figure, and all that it needs")
    figure.add_argument(
        "name", help="such as digits/lid_model, or lid_model where one experiment alone has it"
    )
    label = commands.add_parser("label", help="the page on which people label pairs of an experiment")
    label.add_argument("experiment")
    for one in commands.choices.values():
        one.add_argument("--cores", default="all", type=_cores, help="jobs at a time: a number, or all")
        one.add_argument("--profile", help="a folder under profiles/, such as gpu or slurm, or your own")
    return top


def _cores(text: str) -> str:
    if text != "all" and not (text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of cores; give a number from 1, or all")
    return text


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process by default.

    Returns
    -------
    int
        Exit status: 1 after one line on what was wrong with the input.
    """
    asked = parser().parse_args(arguments)
    try:
        if asked.command == "audit":
            from mmh.command.auditing import audit

            return audit(asked)
        from mmh.command.shipped import run

        return run(asked)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; give the same command again to go on", file=sys.stderr)
        return 130
