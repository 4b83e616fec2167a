"""From lazy tables to small frames of counts: the only place where queries run.

Read in this order: journeys, counts, flows, sensitivity, money, channel_paths, base_counts, workclock,
touches, firsts, ownleads, drill, ends, states, handover, wins, records, pipeline.
"""
