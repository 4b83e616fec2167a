"""From a CRM's raw export to canonical tables, and from those to an opened funnel.

Read in this order: columns, stored, readers, cells, mapping, hints, strays, too_many, outliers, shapes, repeats,
spelling, currencies, doubts, canonical, ends_told, quality, account, sources, opening.
"""
