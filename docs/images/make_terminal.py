"""Make the picture of a terminal in which pixelwise checks data, trains, and scores the model.

    pip install pyte
    python docs/images/make_terminal.py DATA docs/images/terminal.svg [--budget 1min]

The commands run in a terminal of their own, in an empty folder where DATA is called `cells`; what
it shows at their end is drawn. A command that fails ends the script.
"""

import argparse
import fcntl
import itertools
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path
from tempfile import TemporaryDirectory

import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

COLUMNS, ROWS = 92, 400
COMMANDS = (
    "pixelwise check cells",
    "pixelwise train cells --out run --budget {budget}",
    "pixelwise evaluate run cells --out scores",
)
NAMES = {"brown": "yellow", "default": None}  # of colours, as rich calls them


def show(command: str, folder: Path) -> list[Text]:
    """Run a command; return the lines that the terminal shows when it has ended."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.ByteStream(screen)
    environment = {**os.environ, "TERM": "xterm-256color"}
    program = subprocess.Popen(
        [sys.executable, "-m", *command.split()],
        cwd=folder, env=environment, stdin=its, stdout=its, stderr=its,
    )  # fmt: skip
    os.close(its)
    while True:
        try:
            stream.feed(os.read(ours, 2**16))
        except OSError:  # it has closed the terminal
            break
    if program.wait():
        raise SystemExit(f"{command} ended with {program.returncode}")
    lines = [line_of(screen, row) for row in range(ROWS)]
    while not lines[-1].plain.strip():
        lines.pop()
    return lines


def line_of(screen: pyte.Screen, row: int) -> Text:
    """A row of a terminal, with its colours."""
    line, cells = Text(), [screen.buffer[row][column] for column in range(COLUMNS)]
    for (color, bold), alike in itertools.groupby(cells, lambda cell: (cell.fg, cell.bold)):
        name = NAMES.get(color, f"#{color}" if re.fullmatch("[0-9a-f]{6}", color) else color)
        line.append("".join(cell.data for cell in alike), Style(color=name, bold=bold))
    line.rstrip()
    return line


def main() -> None:
    """Run the commands and write the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--budget", default="1min")
    args = parser.parse_args()
    drawn = Console(width=COLUMNS, record=True, file=open(os.devnull, "w"), force_terminal=True)  # noqa: SIM115
    with TemporaryDirectory() as folder:
        (Path(folder) / "cells").symlink_to(args.data.resolve())
        for number, template in enumerate(COMMANDS):
            command = template.format(budget=args.budget)
            drawn.print("\n" * (number > 0) + f"[bold]$ {command}[/]", highlight=False)
            for line in show(command, Path(folder)):
                drawn.print(line)
    svg = drawn.export_svg(title="pixelwise", theme=DIMMED_MONOKAI)
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)  # fonts that a page would fetch
    args.out.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
