"""Read YAML that a stranger may have written: plain values only, no references, no endless text.

References to an anchor make a few hundred bytes stand for billions of entries; settings need none.
"""

import yaml

MAX_CHARACTERS = 2**20  # of settings; a plan has some 10,000


class _PlainLoader(yaml.SafeLoader):
    """Refuses references."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.YAMLError(
                f"line {event.start_mark.line + 1} refers to the anchor {event.anchor}, which is "
                "not read: write the value out"
            )
        return super().compose_node(parent, index)


def parse_yaml(text: str) -> object:
    """The values that YAML stands for: numbers, texts, lists and dictionaries.

    Raises:
        yaml.YAMLError: it is not YAML, refers to anchors, or is absurdly long or deep.
    """
    if len(text) > MAX_CHARACTERS:
        raise yaml.YAMLError(f"{len(text)} characters, where {MAX_CHARACTERS} are the limit")
    try:
        return yaml.load(text, Loader=_PlainLoader)
    except (ValueError, RecursionError) as error:  # a date such as 2001-99-99; a million brackets
        raise yaml.YAMLError(str(error)) from error
