"""Rows that name not their lead but a contact, a company or a phone of it, or write its id in another form."""

from funnelstats.config.errors import FunnelError, visible
from funnelstats.config.funnel import Source
from funnelstats.importing.cells import ROW, exchanged, matches, one_blank
from funnelstats.importing.mapping import KEY, date_columns
from funnelstats.importing.sql import Connection, cases, columns_in, quoted

LAST_DIGITS = 9
"""Of a phone number: what stands before them is the country, and how one dials out of one's own."""


def id_form(cell: str, ids: str | None) -> str:
    """What ids have in common that differ in form only; addresses of mail differ in capitals whatever is stated."""
    if ids == "number":
        return exchanged(cell, r"^0*(\d+?)(?:[.,]0+)?$", r"\1")
    if ids == "salesforce":
        return cases([(matches(cell, "^[A-Za-z0-9]{18}$"), f"left({cell}, 15)")], cell)
    if ids == "capitals":
        return exchanged(f"lower({cell})", r"^\{(.*)\}$", r"\1")
    if ids == "phone":
        digits = exchanged(exchanged(cell, r"(?i)\s*(?:,|;|ext|x|доб|#).*$", ""), r"\D", "")
        return cases([(f"length({digits}) >= {FEWEST_DIGITS}", f"right({digits}, {LAST_DIGITS})")])
    return cases([(f"contains({cell}, '@')", f"lower({cell})")], cell)


FEWEST_DIGITS = 7
"""Of a phone number that can be somebody's."""


def with_their_leads(con: Connection, cells: str, table: str, source: Source) -> str:
    """The rows with the id of their lead, found by what they call it, which is kept as ``_key``; null where none is.

    Of several leads of one contact, company or phone the one counts that was created last before the row's instant;
    where none was, the first. Ties are ordered by id.
    """
    of_leads = columns_in(con, "leads")
    called = next(iter(source.lead_by.values()), "lead_id")
    form = id_form(f"{quoted(called)}::VARCHAR", source.ids)
    created = "created_at" if "created_at" in of_leads else "NULL::TIMESTAMP"
    con.execute(f"""CREATE OR REPLACE TEMP VIEW known AS SELECT * FROM
        (SELECT lead_id AS _lead, {form} AS _form, {created} AS _created FROM leads) WHERE _form IS NOT NULL""")
    rows = f"SELECT *, {id_form(one_blank('lead_id'), source.ids)} AS _form FROM {cells}"
    renamed = f"SELECT * EXCLUDE (lead_id) RENAME (_lead AS lead_id) FROM (SELECT *, lead_id AS {KEY} FROM ({{}}))"
    if source.shared is None:
        _refuse_shared(con, rows, table, source)
        return renamed.format(
            f"SELECT rows.* EXCLUDE (_form), _lead FROM ({rows}) AS rows LEFT JOIN known USING (_form)"
        )
    at = quoted(f"_typed_{next(iter(date_columns(table, source)))}")
    late = f"coalesce(_created > {at}, FALSE)"
    best = f"""SELECT _file, {ROW}, _lead FROM ({rows}) JOIN known USING (_form)
        QUALIFY row_number() OVER (PARTITION BY _file, {ROW} ORDER BY {late}, {cases([(late, "_created")])},
            _created DESC NULLS LAST, _lead) = 1"""
    return renamed.format(
        f"SELECT rows.* EXCLUDE (_form), _lead FROM ({rows}) AS rows LEFT JOIN ({best}) USING (_file, {ROW})"
    )


def _refuse_shared(con: Connection, rows: str, table: str, source: Source) -> None:
    """Stop where what a row calls its lead is that of several."""
    shared = con.execute(f"""
        WITH several AS (SELECT _form, count(*) AS leads, min(_lead) AS first, max(_lead) AS last
            FROM known GROUP BY _form HAVING count(*) > 1)
        SELECT _file, {ROW}, lead_id, leads, first, last, count(*) OVER () FROM ({rows}) JOIN several USING (_form)
        WHERE _ignored IS NULL ORDER BY _file, {ROW} LIMIT 1""").fetchone()
    if not shared:
        return
    file, row, key, leads, first, last, count = shared
    header = source.columns["lead_id"]
    rule = (
        f'state shared = "latest", and the lead counts that was created last before the row of {table}'
        if source.lead_by
        else f'ids = "{source.ids}" cannot tell them apart'
    )
    raise FunnelError(
        f'{file}: row {row}, column "{visible(header)}": "{visible(key)}" is that of '
        f'{leads:,} leads, for example "{visible(first)}" and "{visible(last)}" '
        f"({count:,} {'row' if count == 1 else 'rows'} in all); {rule}"
    )
