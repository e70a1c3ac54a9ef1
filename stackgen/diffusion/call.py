"""`Call`: the arguments of a pipeline: the user's, the preset's, or the pipeline's own."""

import inspect
import re
from dataclasses import asdict, dataclass, replace
from typing import Any

from stackwalls.model import InputError
from stackwalls.model.training.spec import check_values, value
from stackwalls.stackgen.diffusion.model_source import ModelSource


@dataclass(frozen=True)
class Call:
    """The arguments of every call of one pipeline; None stands for the pipeline's default.

    Raises:
        InputError: if a number is out of range.
    """

    steps: int | None = value(None, "sampling steps", 1)
    guidance: float | None = value(None, "guidance scale", 0, 100)
    width: int | None = value(None, "pixels of the frame; a longer side is taken for a mistake", 1, 4096)
    height: int | None = value(None, "likewise", 1, 4096)

    def __post_init__(self) -> None:
        check_values(self)
        if (self.width is None) != (self.height is None):
            raise InputError("Expected a width and a height, or neither.")


def parse_size(text: str) -> tuple[int, int]:
    """Parse `832x1216` into width and height.

    Raises:
        InputError: if the format is wrong.
    """
    found = re.fullmatch(r"(\d{1,5})\s*[x×]\s*(\d{1,5})", text)
    if not found:
        raise InputError(f"Cannot read the size {text!r}: expected width x height in pixels, such as 832x1216.")
    return int(found[1]), int(found[2])


def complete_call(asked: Call, source: ModelSource, *, landscape: bool = False) -> Call:
    """Fill in what `asked` leaves open: from the preset, or else from the pipeline's own defaults.

    Args:
        asked: the user's values.
        source: the model.
        landscape: rotate the preset's frame, for two animals side by side.

    Raises:
        InputError: if the model has no guidance or no frames of that size, or as `call_parameters`.
    """
    parameters = call_parameters(source)
    preset = source.preset
    guidance = _guidance_argument(source, parameters)
    if asked.guidance is not None and guidance is None:
        raise InputError(f"{source.name} has no guidance: leave out --guidance.")
    if preset is not None:
        if asked.width is not None and asked.height is not None:
            multiple, sides = preset.multiple, (asked.width, asked.height)
            nearest = tuple(max(multiple, round(side / multiple) * multiple) for side in sides)
            if nearest != sides:
                raise InputError(
                    f"{preset.name} requires sides divisible by {multiple}, but got {sides[0]} × {sides[1]}: the "
                    f"nearest is {nearest[0]}x{nearest[1]}."
                )
        size = (preset.height, preset.width) if landscape else (preset.width, preset.height)
        own = Call(preset.steps, preset.guidance, *size)
    else:
        own = Call(_default(parameters, "num_inference_steps"), _default(parameters, guidance))
    return replace(own, **{name: given for name, given in asdict(asked).items() if given is not None})


def call_arguments(call: Call, source: ModelSource) -> dict[str, Any]:
    """The keyword arguments of the pipeline's call, without prompt and generator."""
    parameters = call_parameters(source)
    preset = source.preset
    wanted: dict[str, Any] = {
        "num_inference_steps": call.steps,
        "width": call.width,
        "height": call.height,
        "negative_prompt": preset.negative_prompt if preset is not None else None,
        "output_type": "pt",
    }
    if name := _guidance_argument(source, parameters):
        wanted[name] = call.guidance
    return {name: given for name, given in wanted.items() if given is not None and name in parameters}


def call_parameters(source: ModelSource) -> dict[str, inspect.Parameter]:
    """The named parameters of the pipeline's call.

    Raises:
        InputError: if diffusers has no such pipeline, or it needs more than text.
    """
    import diffusers

    pipeline = getattr(diffusers, source.pipeline, None)
    if pipeline is None:
        missing = f"{source.pipeline}, which diffusers {diffusers.__version__} does not have"
        raise InputError(f"{source.name} is a {missing}: install a newer diffusers, or choose another model.")
    parameters = dict(inspect.signature(pipeline.__call__).parameters)
    needed = [
        name
        for name, parameter in parameters.items()
        if parameter.default is parameter.empty
        and parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        and name not in ("self", "prompt")
    ]
    if "prompt" not in parameters or "generator" not in parameters or needed:
        what = f"it needs {', '.join(needed)}" if needed else "it takes no prompt"
        raise InputError(f"{source.name} is a {source.pipeline}, which is not text-to-image ({what}).")
    return parameters


def _guidance_argument(source: ModelSource, parameters: dict[str, inspect.Parameter]) -> str | None:
    names = (source.preset.guidance_argument,) if source.preset else ("guidance_scale", "true_cfg_scale")
    return next((name for name in names if name in parameters), None)


def _default(parameters: dict[str, inspect.Parameter], name: str | None) -> Any:
    default = parameters[name].default if name in parameters else None
    return default if isinstance(default, int | float) else None
