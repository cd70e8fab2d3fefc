"""`pixelwise info`: what a model is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pixelwise.cli.command import (
    Json,
    Quiet,
    Verbose,
    clear_errors,
    print_facts,
    say,
    write_json,
)
from pixelwise.errors import PlanError
from pixelwise.text import count_of

if TYPE_CHECKING:
    from pixelwise.metrics.scores import Scores
    from pixelwise.network.model import Model


@clear_errors
def info(
    model: Annotated[
        Path | None,
        typer.Argument(
            help="Run folder, .safetensors file, or exported .onnx or .xml.", show_default=False
        ),
    ] = None,
    system: Annotated[
        bool, typer.Option("--system", help="Versions and machine, for a report of a fault.")
    ] = False,
    json: Json = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what the model is, what it was trained on, and how it scored.

    Example: [bold]pixelwise info run[/bold]
    """
    if system:
        _tell_system(json)
        return
    if model is None:
        raise PlanError("The model is missing: pixelwise info RUN. Or give --system.")
    from pixelwise.inference.runtimes.exported import load_any_model

    loaded = load_any_model(model)
    if write_json(json, loaded.config.model_dump(mode="json")):
        return
    scores = _scores(loaded)
    warnings = scores[0][1].warnings if scores else ()
    broken = {"WARNING": " ".join(warnings)} if warnings else {}
    print_facts(broken | _facts(loaded) | {name: _describe(one) for name, one in scores})
    if verbose:
        say(loaded.network.summary())


def _tell_system(json: Path | None) -> None:
    from pixelwise.workflows.system import describe_system

    facts = describe_system()
    if not write_json(json, facts):
        print_facts(facts)


def _facts(model: "Model") -> dict[str, str]:
    config, network = model.config, model.config.network
    facts = {
        "task": f"{config.task}, {network.spatial_dims}D",
        "classes": ", ".join(config.class_names),
        "image channels": str(network.in_channels),
        "network": f"{_several(config.num_members)}{network.describe()}, "
        f"{model.network.num_parameters:,} parameters",
        "intensity scaling": config.scaling.scheme,
        "patch size": " x ".join(map(str, config.patch_size)) or "whole images",
        "precision": config.precision,
    }
    facts |= {
        name.replace("_", " "): str(value)
        for name, value in config.provenance.items()
        if not isinstance(value, dict | list)  # for programs: --json has them
    }
    return facts


def _several(num_members: int) -> str:
    return "" if num_members == 1 else f"mean of the probabilities of {num_members} networks: "


def _scores(model: "Model") -> "list[tuple[str, Scores]]":
    """The scores that are stored with a model, by name: of the test split first."""
    from pixelwise.metrics.scores import Scores

    stored = model.config.scores
    test = stored.get("test")
    name = "scores" if model.config.num_members > 1 else "validation"
    scores = [("test", Scores.from_json(test))] if test else []
    return [*scores, (name, Scores.from_json(stored))] if stored else []


def _describe(scores: "Scores") -> str:
    of = scores.of or count_of(scores.num_images, "image")
    return f"mean Dice {scores.mean['dice'] or 'none'} on {of}"
