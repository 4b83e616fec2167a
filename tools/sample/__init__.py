"""The invented sample, whose truth is known; it knows nothing of the package.

Read in this order: facts, dirt, traces, truth, drawn.
"""
