"""Names that users of other libraries type, and what does the same here.

They are looked up only where a name is not there, so that the error says what to do.
"""

from collections.abc import Iterable, Mapping

LOSS = (
    'Losses are named: model.compile(loss="dice"), "binary_crossentropy", "bce_dice_loss", '
    '"focal_loss", "tversky_loss"; or give a function of torch tensors (logits, target).'
)
METRIC = (
    'Metrics are named: model.compile(metrics=["dice", "iou", "precision", "recall"]); '
    "pw.evaluate(model, folder) gives them with intervals."
)
FOLDER = (
    'pw.train("folder", out="run", budget="10min") reads a folder of images and masks and decides '
    "how to cut and augment them; `pixelwise check` shows what it understood."
)
OWN = "model.model.network is the torch module: "
RATE = (
    "pw.train chooses the learning rate, raises and lowers it; fit keeps that of compile, which "
    "callbacks can change."
)
REPORT = "pw.train and pw.evaluate(model, folder, out=...) write a report with the worst images."

# smp: segmentation_models.pytorch
OF_PACKAGE: Mapping[str, str] = {
    **dict.fromkeys(
        ("Unet", "UNet", "create_model", "Sequential", "Model", "layers", "models", "Input"),
        'pw.unet(input_shape=(256, 256, 3), num_classes=1) makes a U-Net, encoder="resnet34" one '
        "on a ready-made encoder; pw.wrap(module) takes any torch module.",
    ),
    **dict.fromkeys(
        (
            "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "PAN", "DeepLabV3",
            "DeepLabV3Plus", "UPerNet", "Segformer", "DPT",
        ),
        "Networks of segmentation_models.pytorch are taken as they are: "
        "pw.wrap(smp.FPN(...), input_shape=(None, None, 3)).",
    ),
    **dict.fromkeys(
        ("load_model", "from_pretrained", "load_learner"),
        'pw.load("run") reads a run folder or a model file.',
    ),
    "losses": LOSS,
    "metrics": METRIC,
    "encoders": 'pw.unet(..., encoder="resnet34") scales images as its encoder wants them.',
    **dict.fromkeys(
        (
            "unet_learner", "Learner", "SegmentationDataLoaders", "DataBlock", "DataLoaders",
            "ImageDataLoaders", "Dataset", "DataLoader", "get_image_files", "datasets",
            "preprocessing", "utils",
        ),
        FOLDER,
    ),
    **dict.fromkeys(("SegmentationInterpretation", "Interpretation"), REPORT),
    **dict.fromkeys(
        ("fit", "compile"), 'model = pw.unet(...) has it; pw.train("folder") trains on a folder.'
    ),
    "segment": 'pw.load("run").segment(image) gives a mask; pw.predict(model, images, out) files.',
}  # fmt: skip
OF_SEGMENTER: Mapping[str, str] = {
    **dict.fromkeys(("fit_one_cycle", "fine_tune", "lr_find", "fit_flat_cos"), RATE),
    **dict.fromkeys(
        ("show_results", "show_batch", "recorder", "dls", "plot_top_losses"),
        "pw.show(image, mask) draws one; model.history has the curves. " + REPORT,
    ),
    **dict.fromkeys(("validate", "get_preds"), "model.evaluate(x, y) and model.predict(x)."),
    "export": 'model.save("model.safetensors"); `pixelwise export` writes ONNX and others.',
    "save_pretrained": 'model.save("model.safetensors") writes one file, which pw.load reads.',
    **dict.fromkeys(
        ("eval", "train", "requires_grad_", "zero_grad"),
        "predict and segment never train, and fit always does: there are no modes to set.",
    ),
    **dict.fromkeys(
        ("to", "cuda", "cpu", "half", "float"),
        'The device is given where a model is made: pw.load("run", device="cuda").',
    ),
    **dict.fromkeys(
        ("parameters", "named_parameters", "modules", "children"),
        OWN + "model.model.network.parameters().",
    ),
    **dict.fromkeys(
        ("state_dict", "load_state_dict"),
        'model.save("model.safetensors") and load_weights; ' + OWN + "it has a state_dict().",
    ),
    **dict.fromkeys(
        ("encoder", "decoder", "segmentation_head", "forward", "layers", "get_layer"),
        OWN + "print it, or model.summary(), to see its parts.",
    ),
    **dict.fromkeys(
        ("train_on_batch", "test_on_batch", "train_step"),
        "fit takes batches of a generator: model.fit(generator, steps_per_epoch=100).",
    ),
    **dict.fromkeys(("predict_on_batch", "predict_step"), "model.predict(x)."),
    "trainable": OWN + "model.model.network.requires_grad_(False) keeps all weights.",
    **dict.fromkeys(("to_json", "get_config", "to_yaml"), "model.model.config is all of it."),
    "metrics": METRIC,
    "loss": LOSS,
}  # fmt: skip
OF_METRICS: Mapping[str, str] = dict.fromkeys(
    (
        "get_stats", "iou_score", "f1_score", "fbeta_score", "accuracy", "balanced_accuracy",
        "precision", "recall", "sensitivity", "specificity", "Dice", "DiceMulti", "JaccardCoeff",
    ),
    "count_pixels(mask, target, num_classes) counts one image, summarize(counts, ...) makes scores "
    "with intervals of many; pw.evaluate(model, folder) does all of it.",
)  # fmt: skip


def missing(owner: str, name: str, advice: Mapping[str, str], known: Iterable[str] = ()) -> str:
    """What is said of a name that is not there.

    Args:
        owner: whose name it would be, as a person writes it.
        name: what was asked for.
        advice: by name, what does the same here.
        known: names that are there, one of which may have been meant in other letters.
    """
    said = f"{owner} has no {name!r}."
    if name in advice:
        return f"{said} {advice[name]}"
    meant = [each for each in known if each.lower() == name.lower()]
    return f"{said} It is written {meant[0]!r}." if meant else said
