"""Where a sales team loses its leads, and whether that is real.

Names of every page stand here, those of one subject in its room: ``fs.team``, ``fs.leads``, ``fs.contacts``,
``fs.refusals``, ``fs.loop``, ``fs.money``, ``fs.plan``; what the pages of a week share in ``fs.weekly``.

An example in a docstring goes on where the notebook of its room ends: ``%run notebooks/weekly.ipynb`` makes the names
of those here, ``manager.ipynb`` of ``leads`` and ``contacts``, ``refusals.ipynb``, ``closed_loop.ipynb`` of ``loop``,
``roi.ipynb`` of ``money`` and ``plan.ipynb``.
"""

from importlib.metadata import version

import lazy_loader

# ``__init__.pyi`` lists the names; each is imported when it is asked for, since ibis alone takes longer than help.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = version("funnelstats")
