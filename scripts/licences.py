"""Licences of what pixelwise installs: `python scripts/licences.py > docs/licences.md`.

Packages are followed from the requirements in `pyproject.toml`, as they are installed here. Exit
status 1 where a licence is not permissive, or not known.
"""

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = "pixelwise"
EXTRAS = (  # none, and those that people install; what developers need is not shipped
    "", "encoders", "keras", "onnx", "openvino", "int8", "bioimageio", "volumes", "watch",
)  # fmt: skip
PERMISSIVE = re.compile(
    r"\b(MIT|MIT-CMU|BSD|0BSD|Apache|ISC|HPND|PSF|Python Software Foundation|Zlib|Unlicense|"
    r"Public Domain|CC0|NCSA)\b",
    re.IGNORECASE,
)
BY_FILE = re.compile(r"\bMPL|Mozilla", re.IGNORECASE)  # copyleft of its own files alone


def licence_of(package: metadata.Distribution) -> str:
    """The licence that a package states, in a line."""
    facts = package.metadata
    if expression := facts.get("License-Expression"):
        return expression
    classifiers = [
        line.split(" :: ")[-1]
        for line in facts.get_all("Classifier") or ()
        if line.startswith("License :: ") and line.count(" :: ") > 1
    ]
    texts = [facts.get("License") or "", ", ".join(classifiers), _license_file(package)]
    lines = [text.strip().splitlines()[0] for text in texts if text.strip()]
    return next((line for line in lines if is_permissive(line)), "unknown")


def is_permissive(licence: str) -> bool:
    """Whether a licence asks nothing of programs that use the package."""
    return bool(PERMISSIVE.search(licence) or BY_FILE.search(licence))


def _license_file(package: metadata.Distribution) -> str:
    """The text of the file in which a package has its licence."""
    files = [one for one in package.files or () if re.match(r"LICEN[CS]E(\.|$)", one.name)]
    place = Path(str(files[0].locate())) if files else None
    return place.read_text(encoding="utf-8", errors="replace") if place else ""


def collect() -> dict[str, tuple[str, list[str]]]:
    """Every installed package by name: its licence, and the extras that need it."""
    found: dict[str, tuple[str, list[str]]] = {}
    for extra in EXTRAS:
        waiting, seen = [(ROOT, {extra})], set()
        while waiting:
            name, extras = waiting.pop()
            if (_key(name), *sorted(extras)) in seen:
                continue
            seen.add((_key(name), *sorted(extras)))
            try:
                package = metadata.distribution(name)
            except metadata.PackageNotFoundError:
                continue  # of another system
            if _key(name) != ROOT:
                _, users = found.setdefault(_key(name), (licence_of(package), []))
                if extra not in users:
                    users.append(extra)
            waiting += [
                (one.name, set(one.extras))
                for one in map(Requirement, package.requires or ())
                if one.marker is None
                or any(one.marker.evaluate({"extra": each}) for each in (extras | {""}))
            ]
    return found


def _key(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> int:
    """Print the page; return the exit status."""
    found = collect()
    print("# Licences\n")
    print("What `pip install pixelwise` installs, and what its extras add: made by")
    print("`python scripts/licences.py`, from what the packages say of themselves.\n")
    print("| package | licence | for |\n|---|---|---|")
    bad = []
    for name, (licence, users) in sorted(found.items()):
        use = "always" if "" in users else ", ".join(f"`{one}`" for one in users)
        print(f"| {name} | {licence} | {use} |")
        if not is_permissive(licence):
            bad.append(f"{name}: {licence}")
    print("\nAll are permissive, but for those of the Mozilla Public License, whose own files stay")
    print("under it where they are changed. Not in the list: torch from PyPI brings, on Linux,")
    print(
        "NVIDIA's libraries for its GPUs, under NVIDIA's own terms; the CPU build has none of them."
    )
    if bad:
        print("Not permissive, or not known: " + "; ".join(bad), file=sys.stderr)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
