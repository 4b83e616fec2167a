"""The invented sample, whose truth is known; it knows nothing of all else.

Read in this order: facts, dirt, traces, truth, sample.
"""
