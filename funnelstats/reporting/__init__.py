"""From notebooks and parameters to published pages, and what the commands say.

Read in this order: warm, kernels, committed, pages, restated, publishing, reports, asked, titles, periods, overview,
summary, console.
"""
