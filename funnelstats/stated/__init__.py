"""What people state (funnel.toml, agreed rules, words, dates) and the primitives on numbers that all else stands on.

Read in this order: schema, errors, dates, mistakes, practice, words, funnel, intervals, shared.
"""
