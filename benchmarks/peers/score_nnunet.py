"""Nuclei with nnU-Net: its own plan and preprocessing, its 2-D configuration, its training step.

Its 1000 epochs become the time that there is: the learning rate falls by its own polynomial of the
share of time used, and pseudo-validation between epochs is left out. Batches are of 8 patches, as
everybody's, in place of those that it plans for a GPU. Preprocessing is on the clock, conversion of
the files to its folder layout is not.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import BATCH_SIZE, Clock, files, read_arguments, read_image, read_mask
from numpy.typing import NDArray
from PIL import Image

DATASET = "Dataset001_Nuclei"
CHANNELS = {"0": "R", "1": "G", "2": "B"}


def convert(data: Path, raw: Path) -> dict[str, list[str]]:
    """Write the files as nnU-Net wants them; return the names of train and val."""
    from nnunetv2.dataset_conversion.generate_dataset_json import generate_dataset_json

    split = {}
    for folder in ("imagesTr", "labelsTr"):
        (raw / DATASET / folder).mkdir(parents=True)
    for name in ("train", "val"):
        pairs = files(data, name)
        split[name] = [f"{name}_{image.stem}" for image, _ in pairs]
        for case, (image, mask) in zip(split[name], pairs, strict=True):
            image_file = raw / DATASET / "imagesTr" / f"{case}_0000.png"
            Image.fromarray(read_image(image)).save(image_file, compress_level=1)
            Image.fromarray(read_mask(mask)).save(raw / DATASET / "labelsTr" / f"{case}.png")
    count = sum(map(len, split.values()))
    labels = {"background": 0, "nucleus": 1}
    generate_dataset_json(str(raw / DATASET), CHANNELS, labels, count, ".png")
    return split


def plan(split: dict[str, list[str]], preprocessed: Path) -> tuple[dict, dict]:
    """Fingerprint, plan and preprocess; return the plans and dataset.json."""
    from batchgenerators.utilities.file_and_folder_operations import load_json, save_json
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )

    extract_fingerprints([1], num_processes=2, show_progress_bar=False)
    plan_experiments([1])
    folder = preprocessed / DATASET
    plans = load_json(str(folder / "nnUNetPlans.json"))
    plans["configurations"]["2d"]["batch_size"] = BATCH_SIZE
    save_json(plans, str(folder / "nnUNetPlans.json"), sort_keys=False)
    preprocess([1], configurations=["2d"], num_processes=[2], show_progress_bar=False)
    save_json([split], str(folder / "splits_final.json"))
    return {**plans, "continue_training": False}, load_json(str(folder / "dataset.json"))


def make_trainer(clock: Clock, plans: dict, dataset: dict, device: torch.device):  # noqa: ANN201
    """nnU-Net's trainer, with a schedule that ends when the time does."""
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    class ByTheClock(nnUNetTrainer):
        def run_training(self, validate: Callable[[], None]) -> None:
            self.on_train_start()
            self.network.train()
            while True:
                rate = self.initial_lr * (1 - clock.share) ** 0.9
                for group in self.optimizer.param_groups:
                    group["lr"] = rate
                self.train_step(next(self.dataloader_train))
                if clock.is_validation_due:
                    validate()
                if clock.is_over:
                    break
            self.disable_checkpointing = True
            self.on_train_end()

    # the trainer keeps its arguments by their names in nnUNetTrainer
    return ByTheClock(plans, "2d", 0, dataset, device)


def predictor(trainer, device: torch.device, *, mirrored: bool):  # noqa: ANN001, ANN201
    """A function from an image to its foreground, by nnU-Net's own sliding window."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    whole = nnUNetPredictor(
        use_mirroring=mirrored,
        perform_everything_on_device=device.type == "cuda",
        device=device,
        allow_tqdm=False,
    )

    def predict(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
        trainer.set_deep_supervision_enabled(False)
        whole.manual_initialization(
            trainer.network,
            trainer.plans_manager,
            trainer.configuration_manager,
            [trainer.network.state_dict()],
            trainer.dataset_json,
            "nnUNetTrainer",
            trainer.inference_allowed_mirroring_axes,
        )
        planes = image.transpose(2, 0, 1)[:, None].astype(np.float32)  # (C, 1, H, W)
        mask = whole.predict_single_npy_array(planes, {"spacing": (999, 1, 1)})
        trainer.set_deep_supervision_enabled(True)
        trainer.network.train()
        return mask[0] == 1

    return predict


def main() -> None:
    """Convert, plan, train and validate."""
    args = read_arguments(__doc__)
    clock = Clock(args)
    folders = {name: args.out / name for name in ("raw", "preprocessed", "results")}
    for name, folder in folders.items():
        os.environ[f"nnUNet_{name}"] = str(folder)
    os.environ.setdefault("nnUNet_n_proc_DA", str(min(12, os.cpu_count() or 1)))
    device = torch.device(args.device)
    if device.type == "cpu":
        torch.set_num_threads(os.cpu_count() or 1)
    with clock.stopped():
        split = convert(args.data, folders["raw"])
    trainer = make_trainer(clock, *plan(split, folders["preprocessed"]), device)
    predict = predictor(trainer, device, mirrored=not args.predict_plainly)
    trainer.run_training(lambda: clock.validate(predict))


if __name__ == "__main__":
    main()
