"""`python -m lrlab`."""

from lrlab.cli import main

if __name__ == "__main__":
    main()
