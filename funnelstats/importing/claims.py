"""Which sources are of wins or ends by what a column says."""

from funnelstats.config.funnel import Funnel
from funnelstats.config.schema import ENDS
from funnelstats.config.sources import Source


def claims_its_end(source: Source, funnel: Funnel) -> bool:
    """Whether the rows of a source are wins or ends because a column says so, and not because they have a date.

    Rows chosen by a column that no source of another stage chooses by in the same way: `only = { Status = "Won" }`, or
    `without = { Status = ["Open", "Won"] }`, which leaves the refused.
    """
    if source.stage not in (funnel.stages[-1], *ENDS):
        return False
    others = _of_other_stages(source, funnel)
    return bool(_chosen_by(source, others)) or any(
        all(other.without.get(name) != values for other in others) for name, values in source.without.items()
    )


def _chosen_by(source: Source, others: list[Source]) -> list[str]:
    """The columns by whose values a source chooses its rows, and the others do not choose theirs by the same."""
    return [
        name
        for name, values in source.only.items()
        if "" not in values and all(other.only.get(name) != values for other in others)
    ]


def _of_other_stages(source: Source, funnel: Funnel) -> list[Source]:
    return [other for other in funnel.entries if other.stage not in (None, source.stage)]


def filters_tell(source: Source, funnel: Funnel) -> bool:
    """Whether the filters tell a status from another column: ``only`` does, beside sources of other stages.

    Where they do not, the rows must say it: most wins have their day, most deals of a country, or not of a test, none.
    """
    others = _of_other_stages(source, funnel)
    return bool(others) and not all(
        any(name in other.without for other in others) for name in _chosen_by(source, others)
    )
