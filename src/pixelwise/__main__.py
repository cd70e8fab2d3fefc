"""Entry point of the `pixelwise` command and of `python -m pixelwise`."""

from pixelwise.cli import main

if __name__ == "__main__":
    main()
