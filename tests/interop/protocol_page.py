"""Reads docs/protocol.md as data: its tables, signatures and examples."""

import re
from pathlib import Path

PATH = Path(__file__).resolve().parents[2] / "docs/protocol.md"


class Section:
    """What stands below one heading, up to the next one of any level."""

    def __init__(self, title, text):
        self.title, self.text = title, text

    def tables(self):
        """Each table as a list of rows, each row a list of cells; the heading row included, the ruler left out."""
        found, rows = [], []
        for line in [*self.text.splitlines(), ""]:
            if line.startswith("|"):
                cells = [cell.strip() for cell in line.strip("|").split("|")]
                if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
                    rows.append(cells)
            elif rows:
                found.append(rows)
                rows = []
        return found

    def table(self, *heading):
        """The rows of the table whose heading row begins so."""
        for rows in self.tables():
            if rows[0][:len(heading)] == list(heading):
                return rows[1:]
        raise AssertionError(f"section {self.title} has no table that begins with {heading}")


class Page:
    def __init__(self):
        text = PATH.read_text(encoding="utf-8")
        self.examples = dict(re.findall(r"```hex (\w+)\n(.*?)```", text, re.DOTALL))
        self.prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        parts = re.split(r"^#{1,4} (.+)$", self.prose, flags=re.MULTILINE)
        self.sections = {title: Section(title, body) for title, body in zip(parts[1::2], parts[2::2])}

    def example(self, name):
        """The bytes of one example: the hex before the two spaces that begin a line's explanation."""
        return bytes.fromhex("".join(line.split("  ")[0] for line in self.examples[name].splitlines()))

    def message_signatures(self):
        """What stands as `[16, request, flags, shared, items]`: type → its fields at the top level, as text."""
        found = {}
        for text in re.findall(r"`(\[\d+, .*?\])`", re.sub(r"\s*\n", " ", self.prose)):
            number, *fields = split_top_level(text[1:-1])
            found[int(number)] = fields
        return found

    def field_lists(self):
        """Every innermost [a, b, c] of field names, as tuples. A type before a name is dropped."""
        found = set()
        for text in re.findall(r"\[([a-z_]+(?: [a-z_]+)?(?:, [a-z_]+(?: [a-z_]+)?)+)\]", self.prose):
            found.add(tuple(field.split()[-1] for field in text.split(", ")))
        return found


def split_top_level(text):
    """Splits at the commas that stand in no bracket."""
    parts, depth, part = [], 0, ""
    for character in text:
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append(part.strip())
            part = ""
        else:
            part += character
    return [*parts, part.strip()]


def names(cell):
    """The names in the first cell of a row that may hold several: `code, message`."""
    return [name.strip(" `") for name in cell.split(",")]


def number_in(cell):
    """The number that a cell of the limits begins with."""
    return int(re.match(r"[\d,]+", cell)[0].replace(",", ""))
