"""Weekly control of a team: which step leaks, with whom, since when, at what cost, and who can teach whom."""

from funnelstats.team.advice import (
    after_advice,
    clearest_leads,
    manager_grid,
    people,
    risen_reason,
    team_finding,
    turned,
    undated_rates,
    with_beginning,
    with_losses,
)
from funnelstats.team.changes import e_alarms, explain_change, since_when
from funnelstats.team.charts import trend_chart
from funnelstats.team.coaching import coaching_pairs, rank_intervals, shrunken_rates
from funnelstats.team.counts import rival_counts, wins_by_week
from funnelstats.team.leaks import drivers, leak_drivers, leak_sizes, noticeable
from funnelstats.team.remarks import (
    RIVAL_WORDS,
    of_hundred,
    on_record,
    quiet_since,
    rates_apart,
    rival_facts,
    rival_table,
    scattered,
    visible_gaps,
    weekly_numbers,
    whole_way,
)
