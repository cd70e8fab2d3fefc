"""Folders as the public data sets have them: each is understood, or refused with what to do."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pixelwise.data.layouts.find import find_layout
from pixelwise.data.layouts.found import Layout, LayoutOptions
from pixelwise.data.masks.sources import MaskParts
from pixelwise.errors import LayoutError

NUMBERS = ("01", "02", "03")


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def fill(root: Path, templates: Sequence[str], names: Sequence[str] = NUMBERS) -> None:
    """Empty files: the templates with every name for {n}."""
    touch(root, *(template.format(n=name) for template in templates for name in names))


def masks_of(layout: Layout, root: Path) -> dict[str, str]:
    """Mask file of each image file that has one."""
    return {
        sample.image.relative_to(root).as_posix(): sample.mask.path.relative_to(root).as_posix()
        for sample in layout.samples
        if sample.mask is not None
    }


# name, image, mask, other files that must not disturb
SETS = [
    ("isic", "ISIC2018_Task1-2_Training_Input/ISIC_{n}.jpg",
     "ISIC2018_Task1_Training_GroundTruth/ISIC_{n}_segmentation.png", ()),
    ("isic2017", "ISIC-2017_Training_Data/ISIC_{n}.jpg",
     "ISIC-2017_Training_Part1_GroundTruth/ISIC_{n}_segmentation.png",
     ("ISIC-2017_Training_Data/ISIC_{n}_superpixels.png",)),
    ("ph2", "PH2/IMD{n}/IMD{n}_Dermoscopic_Image/IMD{n}.bmp",
     "PH2/IMD{n}/IMD{n}_lesion/IMD{n}_lesion.bmp", ()),
    ("drive_manual_only", "training/images/{n}_training.tif",
     "training/1st_manual/{n}_manual1.gif", ()),
    ("stare", "stare-images/im{n}.ppm", "labels-ah/im{n}.ah.ppm", ()),
    ("chase_one_grader", "Image_{n}L.jpg", "Image_{n}L_1stHO.png", ()),
    ("cityscapes", "leftImg8bit/train/a/a_{n}_leftImg8bit.png",
     "gtFine/train/a/a_{n}_gtFine_labelIds.png",
     ("gtFine/train/a/a_{n}_gtFine_instanceIds.png", "gtFine/train/a/a_{n}_gtFine_color.png")),
    ("camvid", "701_StillsRaw_full/0001TP_{n}.png", "LabeledApproved_full/0001TP_{n}_L.png", ()),
    ("camvid_segnet", "train/{n}.png", "trainannot/{n}.png", ()),
    ("camvid_kaggle", "train/{n}.png", "train_labels/{n}_L.png", ()),
    ("kvasir", "images/{n}.jpg", "masks/{n}.jpg", ()),
    ("cvc", "PNG/Original/{n}.png", "PNG/Ground Truth/{n}.png", ()),
    ("ade20k", "images/training/ADE_{n}.jpg", "annotations/training/ADE_{n}.png", ()),
    ("oxford_pets", "images/{n}.jpg", "annotations/trimaps/{n}.png",
     ("annotations/trimaps/._{n}.png", "annotations/xmls/{n}.xml")),
    ("lgg", "kaggle_3m/{n}/{n}_1.tif", "kaggle_3m/{n}/{n}_1_mask.tif", ()),
    ("carvana", "train/{n}.jpg", "train_masks/{n}_mask.gif", ()),
    ("deepglobe", "train/{n}_sat.jpg", "train/{n}_mask.png", ("test/{n}_sat.jpg",)),
    ("inria", "AerialImageDataset/train/images/{n}.tif", "AerialImageDataset/train/gt/{n}.tif",
     ("AerialImageDataset/test/images/{n}.tif",)),
    ("massachusetts", "tiff/train/{n}.tiff", "tiff/train_labels/{n}.tif", ()),
    ("cellpose", "train/{n}_img.png", "train/{n}_masks.png", ()),
    ("cellpose_outputs", "{n}.tif", "{n}_cp_masks.png", ("{n}_seg.npy",)),
    ("monuseg", "Tissue Images/TCGA-{n}.tif", "GroundTruth/TCGA-{n}_bin_mask.png", ()),
    ("glas", "train_{n}.bmp", "train_{n}_anno.bmp", ()),
    ("busi", "Dataset/benign/benign ({n}).png", "Dataset/benign/benign ({n})_mask.png", ()),
    ("labelme2voc", "JPEGImages/{n}.jpg", "SegmentationClass/{n}.png",
     ("SegmentationClassNpy/{n}.npy", "SegmentationClassVisualization/{n}.jpg")),
    ("labelme2voc_later", "JPEGImages/{n}.jpg", "SegmentationClassPNG/{n}.png",
     ("SegmentationClass/{n}.npy", "SegmentationClassVisualization/{n}.jpg")),
    ("voc_devkit", "VOCdevkit/VOC2012/JPEGImages/{n}.jpg",
     "VOCdevkit/VOC2012/SegmentationClass/{n}.png",
     ("VOCdevkit/VOC2012/SegmentationObject/{n}.png",)),
    ("cvat_camvid", "default/{n}.png", "defaultannot/{n}.png", ()),
    ("vaihingen", "top/area{n}.tif", "gts_for_participants/area{n}.tif", ()),
    ("potsdam", "2_Ortho_RGB/p_{n}_RGB.tif", "5_Labels_all/p_{n}_label.tif", ()),
    ("loveda", "Train/Rural/images_png/{n}.png", "Train/Rural/masks_png/{n}.png", ()),
    ("crack500", "traincrop/{n}_1.jpg", "traincrop/{n}_1.png", ()),
    ("deepcrack", "train_img/{n}.jpg", "train_lab/{n}.png", ()),
    ("chest_xray", "CXR_png/C_{n}_0.png", "masks/C_{n}_0_mask.png", ()),
    ("covid_qu", "Train/COVID-19/images/c_{n}.png", "Train/COVID-19/lung masks/c_{n}.png", ()),
    ("refuge", "Training400/Glaucoma/g{n}.jpg",
     "Annotation-Training400/Disc_Cup_Masks/Glaucoma/g{n}.bmp", ()),
    ("tracking", "01/t{n}.tif", "01_GT/SEG/man_seg{n}.tif", ("01_GT/TRA/man_track{n}.tif",)),
    ("bdd", "images/10k/train/{n}.jpg", "labels/sem_seg/masks/train/{n}.png",
     ("labels/sem_seg/colormaps/train/{n}.png",)),
    ("mapillary", "training/images/{n}.jpg", "training/labels/{n}.png",
     ("training/instances/{n}.png",)),
    ("kitti", "training/image_2/{n}_10.png", "training/semantic/{n}_10.png",
     ("training/instance/{n}_10.png", "training/semantic_rgb/{n}_10.png")),
    ("consep", "Train/Images/t_{n}.png", "Train/Labels/t_{n}.png", ("Train/Overlay/t_{n}.png",)),
    ("forest", "train/rgb/b{n}.jpg", "train/GT_color/b{n}.png", ()),
    ("floodnet", "train/train-org-img/{n}.jpg", "train/train-label-img/{n}_lab.png", ()),
    ("sen1floods", "S1Hand/B_{n}_S1Hand.tif", "LabelHand/B_{n}_LabelHand.tif", ()),
    ("uavid", "uavid_train/seq{n}/Images/0.png", "uavid_train/seq{n}/Labels/0.png", ()),
    ("drone", "original_images/{n}.jpg", "label_images_semantic/{n}.png", ()),
    ("dubai", "Tile {n}/images/part.jpg", "Tile {n}/masks/part.png", ()),
    ("msd_volumes", "volume-{n}.tif", "segmentation-{n}.tif", ()),
    ("unpacked_on_a_mac", "data/images/{n}.png", "data/masks/{n}.png",
     ("__MACOSX/data/images/._{n}.png",)),
    ("one_folder_a_patient", "{n}/image.png", "{n}/mask.png", ()),
]  # fmt: skip


@pytest.mark.parametrize(
    ("image", "mask", "others"), [s[1:] for s in SETS], ids=[s[0] for s in SETS]
)
def test_public_sets_are_understood(tmp_path, image, mask, others):
    fill(tmp_path, (image, mask, *others))
    found = masks_of(find_layout(tmp_path), tmp_path)
    assert found == {image.format(n=n): mask.format(n=n) for n in NUMBERS}


SPLITS = [
    ("isic", "ISIC_{s}_Input/{n}.jpg", "ISIC_{s}_GroundTruth/{n}_segmentation.png",
     ("Training", "Validation", "Test")),
    ("camvid", "{s}/{n}.png", "{s}_labels/{n}_L.png", ("train", "val", "test")),
    ("segnet", "{s}/{n}.png", "{s}annot/{n}.png", ("train", "val", "test")),
    ("lip", "{s}_images/{n}.jpg", "{s}_segmentations/{n}.png", ("train", "val", "test")),
    ("kaggle_x_y", "{s}_x/{n}.png", "{s}_y/{n}.png", ("train", "val", "test")),
    ("cityscapes", "leftImg8bit/{s}/a/{n}_leftImg8bit.png", "gtFine/{s}/a/{n}_gtFine_labelIds.png",
     ("train", "val", "test")),
    ("ade20k", "images/{s}/{n}.jpg", "annotations/{s}/{n}.png", ("training", "validation", "test")),
    ("dsb", "stage1_{s}/{n}/images/x.png", "stage1_{s}/{n}/masks/x.png", ("train", "val", "test")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("image", "mask", "splits"), [s[1:] for s in SPLITS], ids=[s[0] for s in SPLITS]
)
def test_their_splits_are_kept(tmp_path, image, mask, splits):
    """In the last split there is one image alone, from which no renaming could be learned."""
    for split, names in zip(splits, (("1", "2"), ("3", "4"), ("5",)), strict=True):
        fill(tmp_path, [image.replace("{s}", split), mask.replace("{s}", split)], names)
    layout = find_layout(tmp_path)
    expected = [("train", "1"), ("train", "2"), ("val", "3"), ("val", "4"), ("test", "5")]
    found = {
        (s.split, next(c for c in s.image.as_posix()[::-1] if c in "12345")) for s in layout.samples
    }
    assert all(sample.mask is not None for sample in layout.samples)
    assert found == set(expected)


REFUSED = [
    ("drive_with_fields_of_view",
     ("training/images/{n}_training.tif", "training/1st_manual/{n}_manual1.gif",
      "training/mask/{n}_training_mask.gif"), r"1st_manual/ and mask/.* with --masks"),
    ("hrf", ("images/{n}.jpg", "manual1/{n}.tif", "mask/{n}_mask.tif"),
     r"manual1/ and mask/.* with --masks"),
    ("chase_two_graders", ("Image_{n}L.jpg", "Image_{n}L_1stHO.png", "Image_{n}L_2ndHO.png"),
     "X -> X_1stHO, or X -> X_2ndHO"),
    ("cityscapes_two_ids", ("leftImg8bit/train/a_{n}_leftImg8bit.png",
     "gtFine/train/a_{n}_gtFine_labelIds.png", "gtFine/train/a_{n}_gtFine_labelTrainIds.png"),
     r"labelIds .* or .*labelTrainIds"),
    ("supervisely", ("ds/img/{n}.jpg", "ds/masks_machine/{n}.png", "ds/masks_human/{n}.png"),
     r"masks_human/ and masks_machine/.* with --masks"),
    ("montgomery", ("CXR_png/{n}.png", "ManualMask/leftMask/{n}.png",
     "ManualMask/rightMask/{n}.png"), r"leftMask/.*with --images and --masks"),
    ("pix2pix", ("A/{n}.png", "B/{n}.png"), r"no masks.*with --images and --masks"),
    ("brats", ("{n}/{n}_flair.tif", "{n}/{n}_t1.tif", "{n}/{n}_t1ce.tif", "{n}/{n}_seg.tif"),
     "9 images and 3 masks, but no two names match"),
    ("anomalies", ("train/good/{n}.png", "test/crack/{n}.png", "ground_truth/crack/{n}_mask.png"),
     r"test/ and train/.* with --images"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("files", "message"), [s[1:] for s in REFUSED], ids=[s[0] for s in REFUSED]
)
def test_what_is_not_clear_is_refused_with_what_to_do(tmp_path, files, message):
    fill(tmp_path, files)
    with pytest.raises(LayoutError, match=message):
        find_layout(tmp_path)


@pytest.mark.parametrize(
    ("files", "images", "masks", "expected"),
    [
        (REFUSED[0][1], None, "1st_manual", "training/1st_manual/01_manual1.gif"),
        (REFUSED[1][1], None, "manual1", "manual1/01.tif"),
        (REFUSED[4][1], None, "masks_human", "ds/masks_human/01.png"),
        (REFUSED[6][1], "A", "B", "B/01.png"),
        (REFUSED[8][1], "test", "ground_truth", "ground_truth/crack/01_mask.png"),
    ],
)
def test_the_fix_that_is_named_works(tmp_path, files, images, masks, expected):
    fill(tmp_path, files)
    options = LayoutOptions(images and Path(images), Path(masks))
    assert expected in masks_of(find_layout(tmp_path, options), tmp_path).values()


@pytest.mark.parametrize(
    ("files", "aside", "fix"),
    [
        (("images/{n}.png", "masks/{n}.png", "instances/{n}.png"), "instances/",
         "--masks instances"),
        (("images/{n}.png", "labels/{n}.png", "label_colors/{n}.png"), "label_colors/",
         "--masks label_colors"),
        (("{n}.png", "{n}_label.png", "{n}_label_color.png"), "01_label_color.png", "manifest"),
        (("images/{n}.png", "gt/{n}_ids.png", "gt/{n}_color.png"), "01_color.png", "manifest"),
    ],
)  # fmt: skip
def test_other_masks_are_left_aside_and_said(tmp_path, files, aside, fix):
    fill(tmp_path, files)
    layout = find_layout(tmp_path)
    (finding,) = layout.findings
    assert (finding.code, finding.severity) == ("left-aside", "note")
    assert aside in finding.message and fix in finding.fix
    assert masks_of(layout, tmp_path)[files[0].format(n="02")] == files[1].format(n="02")


def test_a_second_mask_of_an_image_belongs_to_it(tmp_path):
    touch(
        tmp_path, "a (1).png", "a (1)_mask.png", "a (1)_mask_1.png", "a (2).png", "a (2)_mask.png"
    )
    first, second = (sample.mask for sample in find_layout(tmp_path).samples)
    assert isinstance(first, MaskParts) and isinstance(second, MaskParts)
    assert [path.name for path in first.paths] == ["a (1)_mask.png", "a (1)_mask_1.png"]
    assert first.values == (1, 1) and len(second.paths) == 1


def test_many_folders_are_told_in_one_line(tmp_path):
    fill(tmp_path, ("{n}/{n}_1.tif", "{n}/{n}_1_mask.tif"), [f"p{n}" for n in range(40)])
    assert find_layout(tmp_path).description == (
        "p0/, p1/, p10/, ... (40 in all) (x.tif + x_mask.tif side by side)"
    )


def test_the_folder_that_wraps_the_data_is_said_and_its_classes_are_read(tmp_path):
    fill(tmp_path, ("a/b/images/{n}.png", "a/b/masks/{n}.png"))
    (tmp_path / "a" / "b" / "classes.json").write_text('{"classes": ["sky", "sea"]}')
    layout = find_layout(tmp_path)
    assert layout.description == "in a/b/: images/ + masks/"
    assert [sample.name for sample in layout.samples] == ["01", "02", "03"]
    assert [entry.name for entry in layout.declaration.classes] == ["sky", "sea"]
