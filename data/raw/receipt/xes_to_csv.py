"""Turn the XES event log of the receipt process into cases.csv and events.csv beside it.

python data/raw/receipt/xes_to_csv.py receipt.xes.gz
"""

import csv
import gzip
import sys
from pathlib import Path
from xml.etree import ElementTree

XES = "{http://www.xes-standard.org/}"
CASE = {"case": "concept:name", "startdate": "startdate", "channel": "channel", "department": "department",
        "group": "group", "responsible": "responsible"}  # fmt: skip
EVENT = {"activity": "concept:name", "at": "time:timestamp", "resource": "org:resource"}


def main(log: Path, folder: Path) -> None:
    """Write the two tables: one row per case, one row per event."""
    with (
        gzip.open(log) if log.suffix == ".gz" else log.open("rb") as source,
        (folder / "cases.csv").open("w", newline="", encoding="utf-8") as cases,
        (folder / "events.csv").open("w", newline="", encoding="utf-8") as events,
    ):
        case_rows, event_rows = csv.writer(cases), csv.writer(events)
        case_rows.writerow(CASE)
        event_rows.writerow(["case", *EVENT])
        for trace in ElementTree.parse(source).getroot().iter(f"{XES}trace"):
            of_case = values(trace)
            case_rows.writerow([of_case.get(key, "") for key in CASE.values()])
            for event in trace.iter(f"{XES}event"):
                of_event = values(event)
                event_rows.writerow([of_case["concept:name"], *(of_event.get(key, "") for key in EVENT.values())])


def values(element: ElementTree.Element) -> dict[str, str]:
    """The attributes stated directly under a case or an event."""
    return {child.get("key", ""): child.get("value", "") for child in element if child.get("key")}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent)
