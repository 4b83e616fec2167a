"""Weekly control of a team: which step leaks, with whom, since when, at what cost, and who can teach whom."""

from funnelstats.team.advice import undated_sentences, what_to_do
from funnelstats.team.changes import e_alarms, explain_change, since_when
from funnelstats.team.charts import band_chart, control_chart, trend_chart
from funnelstats.team.coaching import coaching_pairs, rank_intervals, shrunken_rates
from funnelstats.team.counts import rival_counts
from funnelstats.team.leaks import drivers, leak_drivers, leak_sizes, noticeable
from funnelstats.team.remarks import (
    RIVAL_WORDS,
    change_sentence,
    power_sentence,
    quiet_sentences,
    rates_apart,
    rival_sentence,
    rival_table,
    scatter_sentences,
    with_remarks,
)
