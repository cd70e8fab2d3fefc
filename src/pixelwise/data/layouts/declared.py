"""Which file of a data folder says what its masks mean."""

from collections.abc import Sequence
from pathlib import Path

from pixelwise.data.layouts.found import Layout
from pixelwise.data.layouts.names import SPLIT_FOLDERS
from pixelwise.data.masks.class_file import CLASS_FILE, ClassDeclaration, read_class_file
from pixelwise.data.masks.class_table import SPLIT_TABLE, TABLE_FILES
from pixelwise.errors import MaskError


def find_class_file(root: Path, names: Sequence[str] = (CLASS_FILE,)) -> Path | None:
    """classes.json of a data folder; for one of its split folders, that of the folder above.

    Tables that lie in every split folder count where there is none above them.

    Args:
        root: the data folder.
        names: names of the files to look for, in the order in which they are preferred.

    Raises:
        MaskError: the files of two split folders differ.
    """
    folders = (
        [root, root.resolve().parent] if root.resolve().name.lower() in SPLIT_FOLDERS else [root]
    )
    paths = [folder / name for name in names for folder in folders]
    found = next((path for path in paths if path.is_file()), None)
    return found or (_find_split_table(root) if SPLIT_TABLE in names else None)


def _find_split_table(root: Path) -> Path | None:
    """The table that every split folder has a copy of; MaskError where the copies differ."""
    paths = sorted(root.glob(f"*/{SPLIT_TABLE}"))
    paths = [path for path in paths if path.parent.name.lower() in SPLIT_FOLDERS]
    for path in paths[1:]:
        if path.read_bytes() != paths[0].read_bytes():
            raise MaskError(
                f"{paths[0]} and {path} differ. Keep one {SPLIT_TABLE} in {root} for all splits."
            )
    return paths[0] if paths else None


def read_declaration(root: Path, layout: Layout) -> ClassDeclaration | None:
    """classes.json wins, then what the layout says, then a class table of another tool."""
    class_file = find_class_file(root)
    if class_file is not None or layout.declaration is not None:
        return read_class_file(class_file) if class_file else layout.declaration
    table = find_class_file(root, TABLE_FILES)
    return read_class_file(table) if table else None
