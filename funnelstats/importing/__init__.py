"""From a raw export to canonical tables with an account of every row, and from those to an opened funnel."""
