"""What is truly there in photographs of cars and in volumes, and nothing else; looked at by eye."""

from pixelwise.data import check_dataset


def test_car_parts(shared_data):
    found = {f.code: f for f in check_dataset(shared_data / "car_parts_coco")}
    assert {code: finding.severity for code, finding in found.items()} == {
        "class-imbalance": "warning",
        "out-of-bounds": "warning",
        "saturated": "note",
        "near-duplicate": "note",
        "overlapping-objects": "note",
        "mixed-sizes": "note",
    }
    names = {code: [path.stem for path in finding.files] for code, finding in found.items()}
    assert names["out-of-bounds"] == ["train130"]
    assert names["saturated"] == [
        "train112",
        "train117",
        "train118",
        "train119",
    ]  # cut out on white
    assert names["near-duplicate"] == ["train109", "train11", "train162", "train201"]
    assert "left_mirror (0.088 %)" in found["class-imbalance"].message


def test_hippocampus_volumes(shared_data):
    found = {f.code: f for f in check_dataset(shared_data / "hippocampus_volumes")}
    warnings = {code for code, finding in found.items() if finding.severity != "note"}
    assert warnings == {"intensity-range", "mixed-depth"}
    assert [path.name for path in found["intensity-range"].files] == ["hippocampus_044.nii.gz"]
    assert "8 uint8" in found["mixed-depth"].message
