"""What calibration measured on a device, as a plan keeps it."""

from pydantic import BaseModel, ConfigDict

from pixelwise.device import Precision


class Timing(BaseModel):
    """How long a training step took, augmentation, loss and all, in one way of computing it."""

    model_config = ConfigDict(frozen=True)

    batch_size: int
    patch_size: tuple[int, ...] = ()
    widths: tuple[int, ...]
    precision: Precision
    channels_last: bool
    num_threads: int | None = None
    seconds_per_step: float
    crowding: float = 1.0  # times as long as a processor computed; more where other programs do


class Calibration(BaseModel):
    """What was measured on this device, and what it says of the chosen configuration."""

    model_config = ConfigDict(frozen=True)

    device: str
    num_threads: int
    seconds_per_step: float  # of the chosen configuration
    seconds_per_validation: float  # a forecast, from some images: over all validation images
    seconds_per_new_image: float = 0.0  # by which an image that is seen first holds up training
    crowding: float = 1.0  # of the processor, by the chosen configuration (see Timing)
    num_steps: int = 0  # a forecast
    megabytes: float | None = None  # the most memory until then
    timings: tuple[Timing, ...]
