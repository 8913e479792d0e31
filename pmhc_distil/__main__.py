"""``python -m pmhc_distil``: the command line where its script is not on the path."""

from pmhc_distil.cli import main

if __name__ == "__main__":
    main()
