"""From a CRM's raw export to canonical tables, and from those to an opened funnel.

Read in this order: columns, stored, readers, cells, mapping, hints, strays, too_many, doubts,
canonical, quality, account, sources, opening.
"""
