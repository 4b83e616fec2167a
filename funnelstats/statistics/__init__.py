"""From frames of counts to frames of rates, intervals and verdicts; nothing here knows an engine, a file or a page.

Read in this order: answers, conversion, incidence, managers, scatter, casemix, changes, leaks, monitoring, projection,
teams, contacts, speed, worklist, associations, refusals, maturity, revenue, campaigns, attribution, lead_base,
goals, betas, forecast, plan, plan_work, loop, nurture, notes.
"""
