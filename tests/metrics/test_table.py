"""metrics.csv and back."""

import numpy as np
import pytest

from pixelwise.errors import DataError
from pixelwise.metrics import summarize
from pixelwise.metrics.table import read_counts

COUNTS = np.array([[[5, 1, 0], [3, 0, 2]], [[4, 0, 0], [0, 0, 0]]])


def test_the_counts_come_back_image_by_image():
    scores = summarize(COUNTS, ["a, b", 'c"'], ["background", "cell"], background=True)
    names, counts = read_counts(scores.to_csv(), 2)
    assert names == ["a, b", 'c"']
    assert np.array_equal(counts, COUNTS)
    assert summarize(counts, names, ["background", "cell"], background=True) == scores


@pytest.mark.parametrize("text", ["image,class,tp\na,b,1\n", "image,tp,fp,fn\na,1,2,x\n"])
def test_what_is_no_table_is_refused(text):
    with pytest.raises(DataError, match="no table of the scores of 1 classes"):
        read_counts(text, 1)


def test_a_table_of_other_classes_is_refused():
    scores = summarize(COUNTS, ["a", "b"], ["background", "cell"], background=True)
    with pytest.raises(DataError, match="3 classes"):
        read_counts(scores.to_csv(), 3)
