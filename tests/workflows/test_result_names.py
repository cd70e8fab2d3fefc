"""Names of results: by the image where that is free, all different whatever is saved."""

from itertools import product
from pathlib import PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixelwise.workflows.result_names import ENDS, name_results

PARTS = ("a", "b", "a_overlay", "a_probability", "a_png", "a_tif", "a_overlay_png")


def names(*places):
    return name_results([PurePath(place) for place in places])


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (["1.png", "2.png"], ["1", "2"]),
        (["a/1.png", "b/1.png"], ["a/1", "b/1"]),
        (["k.png", "k.tif", "i.png"], ["k_png", "k_tif", "i"]),
        (["k.png", "k.PNG"], ["k_png", "k_PNG"]),
        (["x/k.png", "x/k.tif", "y/k.png"], ["x/k_png", "x/k_tif", "y/k"]),
        (["a.v1.2.png"], ["a.v1.2"]),
        (["a.ome.tif", "b.nii.gz"], ["a", "b"]),
        (["a.ome.tif", "a.tif"], ["a_ome_tif", "a_tif"]),
        (["a b ü.png"], ["a b ü"]),
        # those that another's overlay or probabilities would replace
        (["a.png", "a_overlay.png"], ["a", "a_overlay_png"]),
        (["a.png", "a_probability.tif"], ["a", "a_probability_tif"]),
        (["a_overlay.png"], ["a_overlay"]),
        (["x/a.png", "a_overlay.png"], ["x/a", "a_overlay"]),
        # names that are already those that others get
        (["k.png", "k.tif", "k_png.png"], ["k_png", "k_tif", "k_png_png"]),
        (["k_png.png", "k.tif", "k.png"], ["k_png_png", "k_tif", "k_png"]),
    ],
)
def test_results_have_names_of_their_own(files, expected):
    assert names(*files) == expected


@given(
    st.lists(
        st.sampled_from([f"{a}.{b}" for a, b in product(PARTS, ("png", "tif", "jpg"))]),
        unique=True,
    )
)
def test_no_two_files_are_alike_whatever_is_saved(places):
    own = names(*places)
    files = [f"{name}{end}" for name in own for end in ENDS.values()]
    assert len(set(files)) == len(files)
    reverse = dict(zip(places[::-1], names(*places[::-1]), strict=True))
    assert [reverse[place] for place in places] == own  # whatever their order
