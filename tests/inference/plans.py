"""Plans of tiles for property tests."""

from hypothesis import strategies as st


@st.composite
def plans(draw):
    """(size, tile_size, overlap, step) in 1 to 3 dimensions; overlap below half of every side."""
    dims = draw(st.integers(1, 3))
    longest = {1: 200, 2: 60, 3: 20}[dims]
    size = draw(st.tuples(*[st.integers(1, longest)] * dims))
    tile_size = draw(st.tuples(*[st.integers(1, longest)] * dims))
    overlap = draw(st.integers(0, (min(tile_size) - 1) // 2))
    return size, tile_size, overlap, draw(st.integers(1, 20))
