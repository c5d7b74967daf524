"""Reads docs/cli.md and a --help into one form, so that they can be compared."""

import re

from rota_harness import SOURCE

PAGE = SOURCE / "docs/cli.md"
OPTION = re.compile(r"^  (?:-\w,)?(--[a-z][a-z-]*)(?: (\S+))?(?:\s+(.*))?$")


def cells(line):
    """The cells of a table's line; "\\|" is no border."""
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


class Page:
    """The page's tables by heading: {"rota submit": [[rows of a table], …]}; each row a {column: cell}."""

    def __init__(self, text=None):
        self.text = PAGE.read_text() if text is None else text
        self.tables = {}
        heading, header = "", None
        for line in self.text.splitlines():
            if line.startswith("#"):
                heading, header = line.lstrip("# "), None
                self.tables.setdefault(heading, [])
            elif not line.startswith("|"):
                header = None
            elif header is None:
                header = cells(line)
                self.tables[heading].append([])
            elif not set(line) <= set("|-: "):
                self.tables[heading][-1].append(dict(zip(header, cells(line), strict=True)))

    def table(self, heading, first_column):
        """The rows of the heading's tables whose first column is called so."""
        return [row for table in self.tables.get(heading, []) for row in table if next(iter(row)) == first_column]

    def options(self, heading):
        """{"--lease": (placeholder, default, environment or "")}."""
        found = {}
        for row in self.table(heading, "option"):
            name, _, placeholder = row["option"].strip("`").partition(" ")
            found[name] = (placeholder, row["default"].strip("`"), row["environment"].strip("`"))
        return found

    def fields(self, heading):
        """({all fields}, {those that may be absent})."""
        rows = self.table(heading, "field")
        every = {row["field"].strip("`"): row for row in rows}
        return set(every), {name for name, row in every.items() if row.get("") == "if"}

    def commands(self):
        return {heading.removeprefix("rota ") for heading in self.tables if heading.startswith("rota ")}


def help_options(text):
    """{"--lease": (placeholder, default)} of a --help."""
    found, name = {}, None
    for line in text.splitlines():
        match = OPTION.match(line)
        if match:
            name = match[1]
            found[name] = [match[2] or "", match[3] or ""]
        elif name and line.startswith(" " * 20):
            found[name][1] += " " + line.strip()
        else:
            name = None
    defaults = {}
    for name, (placeholder, words) in found.items():
        default = re.search(r"\[([^\]]*)\]", words)
        defaults[name] = (placeholder, default[1] if default else "")
    return defaults
