"""A mask from an exported model, without pixelwise: onnxruntime, NumPy and Pillow are enough.

python examples/onnx_only.py model.onnx picture.png mask.png
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageColor

model_path, picture_path, mask_path = sys.argv[1:]

session = onnxruntime.InferenceSession(model_path, providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map  # texts; lists and figures are JSON
task, threshold, channels = about["task"], float(about["threshold"]), int(about["channels"])

picture = Image.open(picture_path)
if channels == 3 or (channels == 1 and len(picture.getbands()) > 1):
    picture = picture.convert("RGB" if channels == 3 else "L")
image = np.asarray(picture, np.float32).reshape(picture.height, picture.width, -1)

batch = np.ascontiguousarray(image.transpose(2, 0, 1)[None])  # (1, C, H, W), as it is stored
probabilities = session.run(None, {"image": batch})[0][0]  # (K, H, W)

if task == "multilabel":  # a pixel may have several classes: here it gets the likeliest, or none
    mask = np.where(probabilities.max(0) >= threshold, probabilities.argmax(0) + 1, 0)
elif task == "binary":
    mask = probabilities[0] >= threshold
else:
    mask = probabilities.argmax(0)

if int(about["min_area"]) > 1:
    print(f"Regions below {about['min_area']} pixels stay; `pixelwise predict` takes them out.")
result = Image.fromarray(mask.astype(np.uint8))  # class index per pixel, shown in colours
colors = [ImageColor.getrgb(color) for color in json.loads(about["colors"])]
colors = [(0, 0, 0), *colors] if task == "multilabel" else colors
result.putpalette(np.array(colors, np.uint8).tobytes())
result.save(mask_path)
