"""Small models of every kind that exports differ by."""

import torch

from pixelwise.network import Ensemble, IntensityScaling, Model, ModelConfig, UNet, UNetConfig
from pixelwise.task import Task

STATISTICS = IntensityScaling(scheme="statistics", mean=(100.0, 120.0), std=(40.0, 30.0))
PERCENTILES = IntensityScaling(scheme="percentiles")
NETWORK_OPTIONS = (
    *("normalization", "upsampling", "skips", "activation"),
    *("spatial_dims", "widths", "encoder"),
)

KINDS = {
    "binary": {"task": Task.BINARY},
    "3 classes": {},
    "12 classes": {"num_classes": 12},
    "multi-label": {"task": Task.MULTILABEL},
    "ensemble": {"num_members": 2},
    "binary ensemble": {"num_members": 2, "task": Task.BINARY},
    "half scale": {"working_scale": 0.5},
    "0.35 of the size": {"working_scale": 0.35, "normalization": "instance"},
    "instance, transposed": {"normalization": "instance", "upsampling": "transposed"},
    "group, linear": {"normalization": "group", "upsampling": "linear"},
    "none, no skips": {"normalization": "none", "skips": False, "activation": "leaky_relu"},
    "percentiles": {"scaling": PERCENTILES, "task": Task.BINARY},
}


def make_model(*, task=Task.MULTICLASS, num_classes=3, num_members=1, seed=0, **options):
    """A model of two channels with random weights whose classes all occur."""
    torch.manual_seed(seed)
    chosen = {name: options.pop(name) for name in NETWORK_OPTIONS if name in options}
    network = UNetConfig(
        in_channels=2, out_channels=task.num_logits(num_classes), **{"widths": (4, 8), **chosen}
    )
    num_classes = task.num_classes(network.out_channels)
    config = ModelConfig(
        network=network,
        task=task,
        num_members=num_members,
        class_names=tuple(f"class {n}" for n in range(num_classes)),
        class_colors=tuple(f"#0000{n:02x}" for n in range(num_classes)),
        **{"scaling": STATISTICS, **options},
    )
    members = [make_network(network) for _ in range(num_members)]
    joined = members[0] if num_members == 1 else Ensemble(members, softmax=task.is_exclusive)
    return Model(config, joined.eval())


def make_network(config):
    """A network that has seen something: a wide head, and statistics of batches."""
    network = UNet(config)
    torch.nn.init.normal_(network.head.weight)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
    return network
