"""`python -m cnngraph`: the command line."""

from cnngraph.cli import main

if __name__ == "__main__":
    main()
