"""Devices and number formats."""

import pytest
import torch

from pixelwise import device
from pixelwise.device import autocast, has_bfloat16, pick_device
from pixelwise.errors import PlanError

CPU = torch.device("cpu")


def test_cpu_is_always_there():
    assert pick_device("cpu") == CPU
    assert pick_device(CPU) == CPU


def test_auto_takes_what_is_there():
    is_bare = not (torch.cuda.is_available() or torch.backends.mps.is_available())
    assert (pick_device("auto") == CPU) == is_bare


@pytest.mark.parametrize("name", ["warp drive", "gpu7", "cpu:x", "meta", "CUDA", ""])
def test_an_unknown_device_is_refused_with_what_to_use(name):
    with pytest.raises(PlanError, match=r"is not known\. Use --device auto, cpu, cuda .* or mps"):
        pick_device(name)


def test_gpu_is_the_gpu_that_is_there(monkeypatch):
    has = {"cuda": True, "mps": True}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has["cuda"])
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: has["mps"])
    assert pick_device("gpu") == pick_device("auto") == torch.device("cuda")
    has["cuda"] = False
    assert pick_device("gpu") == pick_device("auto") == torch.device("mps")
    has["mps"] = False
    assert pick_device("auto") == CPU
    with pytest.raises(PlanError, match="There is no GPU here"):
        pick_device("gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is an NVIDIA GPU")
def test_cuda_where_there_is_none_is_refused():
    with pytest.raises(PlanError, match="'cuda' cannot be used"):
        pick_device("cuda")


def product_dtype(precision):
    with autocast(CPU, precision):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def test_float32_stays_float32():
    assert product_dtype("float32") == torch.float32


def test_bfloat16_only_where_the_device_computes_in_it():
    expected = torch.bfloat16 if has_bfloat16(CPU) else torch.float32
    assert product_dtype("bfloat16") == expected


def test_bfloat16_falls_back_to_float32(monkeypatch):
    monkeypatch.setattr(device, "has_bfloat16", lambda device: False)
    assert product_dtype("bfloat16") == torch.float32
