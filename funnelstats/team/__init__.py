"""Weekly control of a team: which step leaks, with whom, since when, at what cost, and who can teach whom."""

from funnelstats.team.advice import (
    after_advice as after_advice,
    clearest_leads as clearest_leads,
    manager_grid as manager_grid,
    people as people,
    risen_reason as risen_reason,
    team_finding as team_finding,
    turned as turned,
    undated_rates as undated_rates,
    with_beginning as with_beginning,
    with_losses as with_losses,
)
from funnelstats.team.changes import (
    e_alarms as e_alarms,
    explain_change as explain_change,
    since_when as since_when,
)
from funnelstats.team.charts import (
    trend_chart as trend_chart,
)
from funnelstats.team.coaching import (
    coaching_pairs as coaching_pairs,
    rank_intervals as rank_intervals,
    shrunken_rates as shrunken_rates,
)
from funnelstats.team.counts import (
    rival_counts as rival_counts,
    stopped_since as stopped_since,
    wins_by_week as wins_by_week,
)
from funnelstats.team.leaks import (
    drivers as drivers,
    leak_drivers as leak_drivers,
    leak_sizes as leak_sizes,
    noticeable as noticeable,
)
from funnelstats.team.remarks import (
    RIVAL_WORDS as RIVAL_WORDS,
    of_hundred as of_hundred,
    on_record as on_record,
    quiet_since as quiet_since,
    rates_apart as rates_apart,
    rival_facts as rival_facts,
    rival_table as rival_table,
    scattered as scattered,
    visible_gaps as visible_gaps,
    weekly_numbers as weekly_numbers,
    whole_way as whole_way,
)
