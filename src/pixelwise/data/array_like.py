"""What Python programs hold images in, as arrays: tensors, PIL images, lists of them."""

from typing import Any

import numpy as np
from PIL import Image

from pixelwise.errors import ArrayError
from pixelwise.io import picture_values


def as_plain(name: str, values: object, *, as_mask: bool = False) -> Any:  # noqa: ANN401
    """Turn tensors and PIL images, alone or in lists, into arrays; leave all else as it is.

    Tensors lose their gradient and come to the CPU; those of a type that NumPy does not have
    (bfloat16) become float32. A PIL image becomes what its file would be read as.

    Args:
        name: what the caller calls the values, for the error message.
        values: anything.
        as_mask: palettes give their indices in place of their colours, and 1-bit images 0 and 1.

    Raises:
        ArrayError: a PIL image or a tensor cannot be turned into numbers; the message has the fix.
    """
    if isinstance(values, list | tuple) and values and _is_foreign(values[0]):
        return [as_plain(f"{name}[{i}]", v, as_mask=as_mask) for i, v in enumerate(values)]
    if isinstance(values, Image.Image):
        try:
            return picture_values(values, as_mask=as_mask)
        except Exception as error:  # Pillow raises whatever it likes on damaged or odd pictures
            raise ArrayError(
                f"{name} is a PIL image of mode {values.mode} that cannot be taken ({error}). "
                'Give its path, or convert it: image.convert("RGB").'
            ) from error
    if _is_tensor(values):
        return _from_tensor(name, values)
    return values


def to_numbers(name: str, values: object, *, as_mask: bool = False) -> np.ndarray[Any, Any]:
    """Return `np.asarray` of what `as_plain` gives.

    Raises:
        ArrayError: it cannot be had; ValueError alone where items have different sizes.
    """
    plain = as_plain(name, values, as_mask=as_mask)
    try:
        return np.asarray(plain)
    except ValueError:
        raise
    except Exception as error:  # arrays of other libraries raise whatever they like
        raise ArrayError(
            f"{name} is a {type(values).__name__} that NumPy cannot read ({error}). Give a NumPy "
            "array."
        ) from error


def _is_foreign(value: object) -> bool:
    return isinstance(value, Image.Image) or _is_tensor(value)


def _is_tensor(value: object) -> bool:
    """Whether this is a torch tensor, without importing torch."""
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")


def _from_tensor(name: str, tensor: Any) -> np.ndarray[Any, Any]:  # noqa: ANN401
    try:
        plain = tensor.detach().cpu().resolve_conj().resolve_neg()
        try:
            return np.asarray(plain.numpy())
        except TypeError:  # bfloat16 and other types that NumPy does not have
            return np.asarray(plain.float().numpy())
    except Exception as error:  # sparse, quantized, of a device that is gone, on no device at all
        raise ArrayError(
            f"{name} is a torch tensor that cannot be read ({error}). Give a dense tensor of "
            "numbers, or a NumPy array."
        ) from error
