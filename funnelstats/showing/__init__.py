"""From frames to what a person sees: tables, figures, sentences.

Read in this order: shown, workbook, figures, panels, kinds, layout, tables, rules, remarks, dating, undated_notes,
advice, peers, charts, money_advice, money_notes, base_advice, money_charts, contact_charts, plan_advice, plan_notes,
plan_charts, worklist_advice, refusal_limits, refusal_findings, refusal_advice, reason_charts, loop_advice,
loop_charts.
"""
