"""`classes.json`: what the masks of a data folder mean, declared by the person who made them.

Names alone stand for the values 0, 1, 2, ...; entries with values stand for these:

    {"classes": ["Sky", "Building", "Road"], "ignore": 11}
    {"classes": [{"name": "sound", "value": 0}, {"name": "crack", "value": 2, "color": "#ff0000"}]}

A colour is optional.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from pixelwise.colors import default_color, packed_of
from pixelwise.data.masks.class_table import read_class_table
from pixelwise.data.masks.encoding import MaskClass, MaskEncoding
from pixelwise.errors import MaskError
from pixelwise.io import decode_text, read_bytes
from pixelwise.task import MAX_CLASSES, too_many_classes

CLASS_FILE = "classes.json"


def _name_alone(entry: object) -> object:
    return {"name": entry} if isinstance(entry, str) else entry


def _one_or_many(ignore: object) -> object:
    values = [] if ignore is None else [ignore] if isinstance(ignore, int | str) else ignore
    if not isinstance(values, list | tuple):
        return values
    return [_packed(value) if isinstance(value, str) else value for value in values]


def _packed(color: str) -> int | str:
    """0xRRGGBB of "#rrggbb"; anything else as it is, to be refused."""
    try:
        return packed_of(color)
    except ValueError:
        return color


class DeclaredClass(BaseModel):
    """One entry: a name, or a name with the value in the files and a colour."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    value: int | None = None
    color: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")] | None = None
    source: str | None = None  # what the annotation file calls it, for example a category id


class ClassDeclaration(BaseModel):
    """The content of classes.json.

    Attributes:
        classes: in the order of their indices.
        ignore: values in the files, or colours "#rrggbb", that count neither in training nor in
            scores.
        multilabel: whether classes may overlap; None leaves it to be found out.
        instances: whether the numbers are object ids; None leaves it to be found out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    classes: tuple[Annotated[DeclaredClass, BeforeValidator(_name_alone)], ...] = ()
    ignore: Annotated[tuple[int, ...], BeforeValidator(_one_or_many)] = ()
    multilabel: bool | None = None
    instances: bool | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.classes) > MAX_CLASSES:
            raise ValueError(too_many_classes(len(self.classes)))
        if len({entry.value is None for entry in self.classes}) > 1:
            raise ValueError("give every class a value, or none")
        if not self.model_fields_set:
            raise ValueError("classes: Field required")
        if "classes" in self.model_fields_set:
            self.encoding()
        return self

    @property
    def has_values(self) -> bool:
        """Whether values are given; if not, the order of the names gives them."""
        return bool(self.classes) and self.classes[0].value is not None

    def encoding(self) -> MaskEncoding:
        """The encoding declared: the values given, or 0, 1, 2, ... in the order of the names."""
        classes = tuple(
            MaskClass(
                index=index,
                name=entry.name,
                value=index if entry.value is None else entry.value,
                color=entry.color or default_color(index, entry.name),
                source=entry.source,
            )
            for index, entry in enumerate(self.classes)
        )
        return MaskEncoding(classes=classes, ignore=self.ignore)


def declare_classes(content: Mapping[str, object], path: Path) -> ClassDeclaration:
    """The classes that other files than classes.json list; MaskError says what is wrong.

    Args:
        content: as classes.json would hold it.
        path: path of the file or folder that lists them, for the message.
    """
    try:
        return ClassDeclaration.model_validate(content)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise MaskError(f"The classes of {path} cannot be used: {reason}") from error


def read_class_file(path: Path) -> ClassDeclaration:
    """Read classes.json or a class table; MaskError says which line or field is wrong."""
    try:
        if path.suffix.lower() != ".json":
            return ClassDeclaration.model_validate(read_class_table(path))
        return ClassDeclaration.model_validate_json(decode_text(read_bytes(path), path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise MaskError(
            f"{path} is not understood: {place + ': ' if place else ''}{first['msg']}. "
            'It should read like {"classes": ["background", "cell"], "ignore": 255}'
            f"{'' if path.suffix.lower() == '.json' else ' in a file ' + CLASS_FILE}."
        ) from error
