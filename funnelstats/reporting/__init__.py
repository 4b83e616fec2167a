"""From notebooks and parameters to published pages, and what the commands say.

Read in this order: parameters, engine, processes, committed, pages, restated, publishing, reports, preload, asked,
titles, periods, overview, summary, console.
"""
