"""``python -m diffeo``, and what ``torchrun -m diffeo`` starts."""

from diffeo.cli import main

if __name__ == "__main__":
    main()
