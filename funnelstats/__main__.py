"""``python -m funnelstats`` is the command ``funnelstats``."""

from funnelstats.cli import main

if __name__ == "__main__":
    main()
