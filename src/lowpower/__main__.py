"""`python -m lowpower` is `lowpower`."""

from lowpower.cli import main

if __name__ == "__main__":
    main()
