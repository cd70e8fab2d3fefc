"""Libraries that only some formats need."""

import importlib
import sys
from typing import Any

from pixelwise.errors import MissingExtraError

REPORTS = "openvino_telemetry"  # by which OpenVINO and NNCF tell their makers what is done


def import_extra(module: str, extra: str, what: str, action: str = "read") -> Any:  # noqa: ANN401
    """Import a library of an extra; none of them reports to its makers what is done with it.

    Args:
        module: its name.
        extra: extra of pixelwise that installs it.
        what: is read with it, for the message.
        action: what is done with it in place of reading, such as "written".

    Raises:
        MissingExtraError: it is not installed; the message says how to install it.
    """
    sys.modules.setdefault(REPORTS, None)  # type: ignore[arg-type]  # to import it fails
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{what} are {action} with {module}, which is not installed. Install it with "
            f'pip install "pixelwise[{extra}]".'
        ) from error
