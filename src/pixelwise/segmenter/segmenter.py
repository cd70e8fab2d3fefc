"""The Segmenter: a model as a person holds it, with the verbs that Keras users know.

`fit` runs the same training loop as `pixelwise train`; `predict` and `segment` run the same
predictor as the command line.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from html import escape
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pixelwise.data import Sample, to_array, to_channels, to_images, to_samples, to_targets
from pixelwise.device import pick_device
from pixelwise.elsewhere import OF_SEGMENTER, missing
from pixelwise.errors import ArrayError, PlanError
from pixelwise.inference import IntensityCheck, Predictor
from pixelwise.io import make_folder, read_image
from pixelwise.network import Model, WrappedNetwork, look_at_intensities, save_model
from pixelwise.planning import Plan, check_number, read_plan
from pixelwise.planning.plan import MAX_BATCH
from pixelwise.segmenter.epochs import EpochWatcher, History, format_values, read_history, split_off
from pixelwise.segmenter.fitting import (
    AskedPrecision,
    RunningOptimizer,
    check_given_numbers,
    check_optimizer,
    check_precision,
    choose_precision,
    learn_intensities,
    make_optimizer,
    make_trainer,
    plan_fit,
    weigh_classes,
)
from pixelwise.segmenter.images import Image, Images, is_list_of_images, is_path, read_paths
from pixelwise.segmenter.keras_names import Compiled, OptimizerFactory, compile_names
from pixelwise.segmenter.pairs import (
    SizedPairs,
    listed,
    take_data,
    take_validation,
    unpack,
)
from pixelwise.segmenter.stream import Stream
from pixelwise.segmenter.weights import get_arrays, load_into, set_arrays
from pixelwise.training import Loss, Metric, Objective, RunFolder, Trainer, patch_source
from pixelwise.training.validate import validate

SETTABLE = ("model", "path", "stop_training")
_MAKING = Lock()  # a predictor moves the network, which two threads must not do at once


class Segmenter:
    """A segmentation model: `compile`, `fit`, `evaluate`, `predict`, `segment`, `save`.

    Made by `pixelwise.unet`, `pixelwise.load` and `pixelwise.from_keras`.
    """

    def __init__(self, model: Model, device: str = "auto", path: Path | None = None) -> None:
        """Hold a model, to run on a device: "auto", "cpu", "cuda", "mps".

        Args:
            model: configuration and network.
            device: where it runs.
            path: run folder or file that it was loaded from.
        """
        self.model = model
        self.path = path  # until the model is changed
        self.stop_training = False  # set by a callback: this epoch is the last
        self._trainer: Trainer | None = None  # while `fit` runs
        self._device = device
        self._compiled: Compiled | None = None
        self._optimizer: torch.optim.Optimizer | None = None  # goes on from one fit to the next
        self._precision: AskedPrecision = "auto"
        self._kept: Predictor | None = None  # of the predictions before
        self._history: History | None = None  # of the last fit
        self._plan: Plan | None = None

    def __getattr__(self, name: str) -> object:
        """Say what does here what a name of another library does there."""
        if hasattr(type(self), name):  # a property, in which something else is missing: say what
            return object.__getattribute__(self, name)
        raise AttributeError(missing("A model", name, OF_SEGMENTER), name=name, obj=self)

    def __setattr__(self, name: str, value: object) -> None:
        """Set what there is; a name of another library would do nothing, in silence."""
        if name.startswith("_") or name in SETTABLE or hasattr(type(self), name):
            object.__setattr__(self, name, value)
        else:
            raise AttributeError(missing("A model", name, OF_SEGMENTER), name=name, obj=self)

    def __repr__(self) -> str:
        """Task, classes and size."""
        config = self.model.config
        return (
            f"Segmenter({config.task}, classes {', '.join(config.class_names)}; "
            f"{config.network.describe()}, {self.count_params():,} parameters)"
        )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by their index in masks."""
        return self.model.config.class_names

    @property
    def history(self) -> History:
        """Losses and metrics of the epochs of the last `fit`, or of the run that was loaded."""
        if self._history is None and self.path is not None:
            return read_history(RunFolder(self.path).history)
        return self._history or History()

    @property
    def plan(self) -> Plan | None:
        """How the last `fit`, or the run that was loaded, trained; None: it is not known."""
        if self._plan is None and self.path is not None:
            file = RunFolder(self.path).plan
            return read_plan(file) if file.is_file() else None
        return self._plan

    def _repr_html_(self) -> str:
        """The network, stage by stage, as notebooks show it."""
        network = self.model.network.summary()
        return f"<p>{escape(repr(self))}</p><pre>{escape(network)}</pre>"

    # --- training -----------------------------------------------------------------------------

    def compile(
        self,
        optimizer: str | OptimizerFactory | torch.optim.Optimizer = "adam",
        loss: str | Loss | None = None,
        metrics: Sequence[str | Metric] | None = None,
        *,
        precision: AskedPrecision = "auto",
    ) -> None:
        """Choose how `fit` trains and what `evaluate` measures.

        Args:
            optimizer: "adam", "adamw", "sgd" or "rmsprop" with Keras's default learning rates; a
                torch optimizer of `model.network.parameters()`; or a function that makes one from
                parameters, such as `partial(torch.optim.Adam, lr=3e-4)`.
            loss: "binary_crossentropy", "sparse_categorical_crossentropy" (masks of class
                indices), "categorical_crossentropy" (one-hot masks), "dice_loss", "bce_dice_loss",
                "focal_loss", "tversky_loss"; or a function (logits (B, K, H, W), target) ->
                scalar, with uint8 targets (B, H, W) of class indices, (B, K, H, W) of 0 and 1
                where classes overlap, 255 where ignored. Default: cross-entropy of the task.
            metrics: "accuracy", "dice", "iou"; or functions like those of `loss`.
            precision: of the convolutions in training; weights, loss and predictions are float32
                always. "auto" takes bfloat16 where the device computes in it, about twice as fast.

        Raises:
            PlanError: a name is unknown or does not fit the model's task; or an optimizer trains
                other parameters.
        """
        check_precision(precision)
        if isinstance(optimizer, torch.optim.Optimizer):
            check_optimizer(optimizer, self.model.network)
        task = self.model.config.task
        if loss is None:
            loss = "sparse_categorical_crossentropy" if task.is_exclusive else "binary_crossentropy"
        names = [metrics] if isinstance(metrics, str) else () if metrics is None else metrics
        background = task.has_background(self.model.config.class_names)
        self._compiled = compile_names(optimizer, loss, names, task, background=background)
        self._optimizer, self._precision = None, precision

    def fit(
        self,
        x: ArrayLike | SizedPairs | Iterable[Any],
        y: ArrayLike | None = None,
        *,
        epochs: int = 1,
        batch_size: int = 32,
        validation_data: tuple[ArrayLike, ArrayLike] | SizedPairs | Iterable[Any] | None = None,
        validation_split: float = 0.0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: ArrayLike | None = None,
        callbacks: Sequence[object] | object | None = None,
        verbose: bool | int = True,
        seed: int = 0,
    ) -> History:
        """Train on arrays, every image once an epoch, as Keras does: no augmentation, no crops.

        Called again, it goes on from the weights and the optimizer's state that it left.

        Args:
            x: images (N, H, W, C), any integer or float type. Integer images are scaled by the
                training set's mean and deviation, which the model stores; floats are used as they
                are. Or pairs of an image and its mask, or of batches of them, all of one size: a
                data set with a length, such as torch's, is read once; a generator makes batches
                while training goes on, and says nothing of how long an epoch is.
            y: masks; none where x gives pairs. One class: (N, H, W, 1) or (N, H, W) of 0 and 1.
                Several: class indices of the same shape, or one-hot (N, H, W, K) with a
                categorical loss.
            epochs: passes over the images.
            batch_size: images a step.
            validation_data: (x, y), or pairs, to measure after each epoch.
            validation_split: share of the images, from the end, to take for validation.
            steps_per_epoch: steps after which an epoch ends; None: when all images were seen.
            validation_steps: batches of a generator in `validation_data`, which are read once.
            class_weight: weight of the pixels of a class, by its index, in a cross-entropy.
            sample_weight: (N,) weight of each image in the loss; pairs may bring it as a third.
            callbacks: of `pixelwise.callbacks`, or any objects with such methods, in their order.
            verbose: print a line an epoch.
            seed: seed of the order of images.

        Returns:
            The losses and metrics of every epoch. The model keeps the last epoch's weights.

        Raises:
            ArrayError: the arrays are not what they should be; the message has the fix.
            PlanError: an option that cannot be used.
            TrainingError: the loss became NaN; the weights of the last good epoch are kept.
        """
        compiled = self._checked_compiled()
        epochs = check_number("epochs", epochs)
        check_given_numbers(steps_per_epoch=steps_per_epoch, validation_steps=validation_steps)
        batch_size = check_number("batch_size", batch_size, most=MAX_BATCH)
        loss = weigh_classes(compiled.loss, class_weight, self.model.config)
        in_channels = self.model.config.network.in_channels
        given = take_data(
            x, y, in_channels, sample_weight=sample_weight, num_batches=steps_per_epoch
        )
        validation_data = take_validation(validation_data, in_channels, validation_steps)
        given, validation = split_off(given, validation_data, validation_split)
        train = self._samples(given.images, given.masks)
        self.model, self.path = learn_intensities(self.model, train), None
        val = self._samples(*validation) if validation is not None else []
        device = pick_device(self._device)
        optimizer = self._prepared_optimizer(compiled, device)
        rate = optimizer.param_groups[0]["lr"]
        plan = plan_fit(
            self.model.config,
            len(train),
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            batch_size=batch_size,
            learning_rate=rate,
            precision=choose_precision(self._precision, device),
            seed=seed,
        )
        watcher = EpochWatcher(
            compiled.metrics, epochs, plan, listed(callbacks), self, verbose=verbose
        )
        objective = Objective(loss, compiled.metrics, optimizer)
        source = (
            patch_source(self.model, plan, train, weights=given.weights)
            if given.items is None
            else Stream(given.items, self._samples_of_item, self.model, plan)
        )
        self._trainer = make_trainer(
            self.model, plan, train, val, objective, device, watcher, source
        )
        self.stop_training = False
        self._history, self._plan = watcher.history, plan
        try:
            watcher.begin()
            self._trainer.run()
            watcher.finish()
        finally:
            self._trainer = None
        return watcher.history

    def evaluate(
        self, x: ArrayLike, y: ArrayLike, *, verbose: bool | int = True, return_dict: bool = False
    ) -> list[float] | float | dict[str, float]:
        """Return the loss and the metrics of `compile` over arrays; images count alike.

        Args:
            x: images (N, H, W, C).
            y: masks, as for `fit`.
            verbose: whether to print them.
            return_dict: by name; else as a list in their order, the loss first, and the loss alone
                where there are no metrics.

        Raises:
            ArrayError: the arrays are not what they should be.
        """
        compiled = self._checked_compiled()
        predictor = self._predictor()
        _, means = validate(predictor, self._samples(x, y), compiled.loss, compiled.metrics)
        if verbose:
            print(format_values(means))
        if return_dict:
            return means
        values = list(means.values())
        return values if len(values) > 1 else values[0]

    @property
    def optimizer(self) -> RunningOptimizer:
        """The optimizer of `compile`, whose `learning_rate` can be read and set."""
        device = pick_device(self._device)
        made = self._prepared_optimizer(self._checked_compiled(), device)
        return RunningOptimizer(made, self._trainer)

    # --- prediction ---------------------------------------------------------------------------

    def __call__(self, x: Images) -> NDArray[np.float32]:
        """Return probabilities as `predict` does."""
        return self.predict(x)

    def predict(
        self, x: Images, *, batch_size: int = 32, verbose: bool | int = False
    ) -> NDArray[np.float32]:
        """Return probabilities (N, H, W, K) float32 in [0, 1] for images (N, H, W, C).

        K is 1 for a binary model, else the number of classes; softmax over classes, or a sigmoid
        for each class of a multi-label model. `batch_size` only limits memory; `verbose` is taken
        because Keras programs give it, and prints nothing. The path of a file will do, and a list
        of paths of files of one size.

        Raises:
            ArrayError: the images are not what they should be.
            DataError: a file cannot be read.
        """
        batch_size = check_number("batch_size", batch_size)
        network = self.model.config.network
        x = read_paths(x, network.in_channels)
        images = to_images(x, network.in_channels, spatial_dims=network.spatial_dims)
        images = self._in_trained_unit(images)
        predictor = self._predictor()
        batches = [
            predictor.batch_probabilities(images[start : start + batch_size])
            for start in range(0, len(images), batch_size)
        ]
        return np.moveaxis(np.concatenate(batches), 1, -1)  # (N, K, H, W) -> (N, H, W, K)

    def segment(self, image: Images) -> Any:  # noqa: ANN401
        """Return the mask (H, W) uint8 of an image of any size: class index per pixel.

        Args:
            image: (H, W, C) or grey (H, W), in the intensities that the model was trained on
                (those of the files, for a model trained on a folder): an array, a torch tensor or
                a PIL image; or the path of a file. A list of any of these, of any sizes, or an
                array (N, H, W, C).

        Returns:
            (H, W) class index; for a multi-label model bool (H, W, K). Of a list the list of its
            masks, of an array of images an array (N, ...).

        Raises:
            ArrayError: it is no image, or one of other channels.
            DataError: a file cannot be read.
        """
        if is_list_of_images(image):
            return [self._segment_one(one, f"Image {n}") for n, one in enumerate(image)]
        dims = self.model.config.network.spatial_dims
        if not is_path(image) and (array := to_array("image", image)).ndim == dims + 2:
            return np.stack([self._segment_one(one, f"Image {n}") for n, one in enumerate(array)])
        return self._segment_one(image, "The image")

    def _segment_one(self, image: Image, name: str) -> NDArray[Any]:
        """The mask of one image; `name` is what errors call it, unless it has a path."""
        network = self.model.config.network
        if is_path(image):
            array, name = read_image(Path(image)), os.fspath(image)
        else:
            array = to_array("image", image)
        if array.ndim == network.spatial_dims:
            array = array[..., np.newaxis]
        if array.ndim != network.spatial_dims + 1:
            raise ArrayError(
                f"{name} has shape {array.shape}; expected (height, width, {network.in_channels})."
            )
        channels_first = (
            to_channels(array, network.in_channels, name)
            if network.spatial_dims == 2
            else np.moveaxis(array, -1, 0)
        )
        check = IntensityCheck(self.model.config)
        channels_first = check.take(channels_first, name)
        check.warn()
        mask = self._predictor().segment(channels_first)
        return np.moveaxis(mask, 0, -1) if self.model.config.task.can_overlap else mask

    # --- the model ----------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file (.safetensors), which `pixelwise.load` reads.

        Raises:
            OutputError: the file cannot be written.
        """
        target = Path(path)
        if target.suffix != ".safetensors":
            raise PlanError(
                f"{target} should end in .safetensors, the one format that holds everything and "
                f"runs nothing. Use {target.parent / (target.stem or 'model')}.safetensors."
            )
        make_folder(target.parent)
        save_model(target, self.model)

    def save_weights(self, path: str | os.PathLike[str]) -> None:
        """Write the model file, which holds the weights and how to use them."""
        self.save(path)

    def load_weights(self, path: str | os.PathLike[str]) -> None:
        """Take the weights of a model file or run folder of the same network.

        Raises:
            ModelFileError: it is no model, or one of another network.
        """
        network = self.model.network
        module = deepcopy(network.module) if isinstance(network, WrappedNetwork) else None
        load_into(self.model, Path(path), module)
        self.path = None

    def get_weights(self) -> list[NDArray[Any]]:
        """Return copies of all weights, in the order of `set_weights`."""
        return get_arrays(self.model.network)

    def set_weights(self, weights: Sequence[ArrayLike]) -> None:
        """Set all weights.

        Raises:
            ArrayError: other numbers or shapes than those of `get_weights`.
        """
        set_arrays(self.model.network, weights)
        self.path = None

    def summary(self) -> None:
        """Print the network, stage by stage, with every skip connection."""
        print(self.model.network.summary())

    def count_params(self) -> int:
        """Return the number of trainable parameters."""
        return self.model.network.num_parameters

    # --- parts --------------------------------------------------------------------------------

    def _checked_compiled(self) -> Compiled:
        if self._compiled is None:
            self.compile()
        assert self._compiled is not None
        return self._compiled

    def _predictor(self) -> Predictor:
        """Of the model as it is: one for all calls, which many threads may make at once.

        It computes with the weights of the moment. After `fit` it is another one, which goes on
        with the threads that the one before found to be fastest.
        """
        with _MAKING:
            kept = self._kept
            if kept is None or kept.model is not self.model:
                threads = None if kept is None else kept.threads
                kept = Predictor(self.model, device=self._device, threads=threads, in_place=True)
                self._kept = kept
            return kept

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles, which make a predictor of their own."""
        return self.__dict__ | {"_kept": None, "_trainer": None}

    def _samples(self, x: ArrayLike, y: ArrayLike) -> list[Sample]:
        """Check arrays and make samples of them."""
        config = self.model.config
        dims = config.network.spatial_dims
        images = to_images(x, config.network.in_channels, spatial_dims=dims)
        images = self._in_trained_unit(images)
        masks = to_array("y", y)
        form = self._checked_compiled().target_form
        if form is None:
            is_one_hot = masks.ndim == images.ndim and masks.shape[-1] == config.num_classes
            form = "one_hot" if is_one_hot else "index"
        return to_samples(images, to_targets(masks, images, form, config.num_classes))

    def _samples_of_item(self, item: object, number: int) -> tuple[list[Sample], Any]:
        """Samples of what a generator gave, and their weights."""
        given = unpack(item, number, self.model.config.network.in_channels)
        return self._samples(given.images, given.masks), given.weights

    def _in_trained_unit(self, images: NDArray[Any]) -> NDArray[Any]:
        """Images (N, C, *S) in the unit of those that the model was trained on, and say so.

        They are of one array, so that what is true of one is true of all.
        """
        if self.model.config.intensities is None:
            return images
        check = IntensityCheck(self.model.config)
        factor = check.factor_of(look_at_intensities(images), "x")
        check.warn()
        return check.scale(images, factor)

    def _prepared_optimizer(
        self, compiled: Compiled, device: torch.device
    ) -> torch.optim.Optimizer:
        """The optimizer of `compile`, with the state that an earlier fit left."""
        if self._optimizer is None:
            self.model.network.to(device)
            made = compiled.optimizer
            if not isinstance(made, torch.optim.Optimizer):
                made = make_optimizer(made, self.model.network)
            check_optimizer(made, self.model.network)
            self._optimizer = made
        return self._optimizer
