"""From notebooks and parameters to published pages, and what the commands say.

Read in this order: parameters, engine, processes, committed, pages, restated, publishing, reports, preload,
titles, periods, overview, summary, console.
"""

import sys

# jsonschema, which nbformat brings, imports this only to check addresses, of which notebooks hold none, and its
# grammars take longer to compile than all else that a run imports for notebooks: with None here it goes without.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
