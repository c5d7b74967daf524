"""docs/errors.md and the sources say the same, in both directions: messages, codes, exit codes, error codes of jobs.

Needs no programs. What a message is, source_messages.py says. On the page a message stands in backquotes in a column `message`,
with words in capitals where the source puts something in.
"""

import dataclasses
import re
import sys
import unittest

from source_messages import GAP, ROOT, all_literals, all_messages, is_prose

PAGE = ROOT / "docs" / "errors.md"
# Literals of words that nobody meets, and why.
INTERNAL = {
    "text/plain; version=0.0.4": "the content's type of /metrics",
    "lease ended": "why a session ended, for tests: its worker is told NO_SESSION",
    GAP + " to " + GAP: "a range of versions, within another message",
    GAP + " (" + GAP + " on " + GAP + ", " + GAP + ")": "a job among candidates, within another message",
    "cannot " + GAP + ": " + GAP: "the frame of the check's errors of the system, which stand on the page one by one",
    "The " + GAP + "'s name": "help of pause, resume and drain",
    "Job ids, whole or their endings; - reads them from stdin": "help of all that take ids",
    "--broker, --timeout and --output are taken here too; see rota --help": "help of all commands",
    'The command stands behind "--": rota ' + GAP + " [OPTIONS] -- COMMAND [ARG...]\n" + GAP: "help of submit",
    "submit fills a queue; lifecycle submits and waits for the last completion; latency runs one job at a time; worker serves "
    "such jobs (its --broker is the workers' endpoint)": "help of bench",
}


@dataclasses.dataclass
class Row:
    heading: str
    cells: dict


def unquoted(cell):
    return re.findall(r"`([^`]+)`", cell)


def read_rows():
    """The rows of the page's tables, each with the heading above it."""
    heading, columns, rows = "", None, []
    for line in PAGE.read_text().splitlines():
        if line.startswith("#"):
            heading, columns = line.lstrip("# "), None
        elif not line.startswith("|"):
            columns = None
        else:
            cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
            if columns is None:
                columns = cells
            elif not set("".join(cells)) <= set("- "):
                rows.append(Row(heading, dict(zip(columns, cells, strict=True))))
    return rows


class Pattern:
    """Finds a message on the page: its pieces in order, with something between them."""

    def __init__(self, template):
        edges = GAP + "\n" + (" " if is_prose(template) else "")
        self.pieces = template.strip(edges).split(GAP)
        start = r"(?<![\w-])" if self.pieces[0][:1].isalnum() else ""
        end = r"(?![\w-])" if self.pieces[-1][-1:].isalnum() else ""
        self.regex = re.compile(start + "(.+?)".join(f"({re.escape(piece)})" for piece in self.pieces) + end)

    def search(self, text, at=0):
        return self.regex.search(text, at) if all(piece in text for piece in self.pieces) else None

    def cover(self, text, covered):
        """Marks what the pieces, but not the gaps, are in a text."""
        at = 0
        while (found := self.search(text, at)) is not None:
            for group in range(1, self.regex.groups + 1, 2):
                start, end = found.span(group)
                covered[start:end] = b"\1" * (end - start)
            at = found.start() + 1


def joins(template):
    """Whether a literal can be a part of a text: words, or one that is made to be joined to others."""
    return is_prose(template) or (re.search(r"[a-z]{2,}", template) is not None and template != template.strip(" "))


class Texts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = read_rows()
        cls.texts = [(row.heading, text) for row in cls.rows if "message" in row.cells for text in unquoted(row.cells["message"])]
        cls.messages = [message for message in all_messages() if message.template.strip("\n") not in INTERNAL]

    def test_tables_are_read(self):
        self.assertGreater(len(self.texts), 300)
        self.assertGreater(len(self.messages), 300)

    def test_every_message_of_the_sources_stands_on_the_page(self):
        missing = [str(message) for message in self.messages
                   if not any(Pattern(message.template).search(text) for _, text in self.texts)]
        self.assertEqual([], missing, "messages that docs/errors.md does not have:\n" + "\n".join(missing))

    def test_every_text_of_the_page_is_in_the_sources(self):
        patterns = [Pattern(template) for template in {literal.template for literal in all_literals()} if joins(template)]
        stale = []
        for heading, text in self.texts:
            covered = bytearray(len(text))
            for pattern in patterns:
                pattern.cover(text, covered)
            left = "".join("\n" if done else letter for letter, done in zip(text, covered))
            words = [part.strip() for part in left.splitlines() if re.search(r"[a-z]{2,}", part)]
            if words:
                stale.append(f"{heading}: {text!r}: {words}")
        self.assertEqual([], stale, "texts of docs/errors.md that the sources do not have:\n" + "\n".join(stale))

    def test_every_text_of_the_page_begins_as_a_source_has_it(self):
        """The words at its start are those of one literal, behind what is put in there: not gathered from several."""
        # What begins with the verb alone would stand for all rules.
        patterns = [Pattern(template) for template in {literal.template for literal in all_literals()}
                    if is_prose(template) and template.strip(GAP + " ") != "give"]
        loose = []
        for heading, text in self.texts:
            front = re.match(r"(?:[^a-z]*[^a-z\w])?(?:jobs )?", text).end()
            matches = (pattern.search(text) for pattern in patterns)
            if not any(match is not None and match.start() <= front for match in matches):
                loose.append(f"{heading}: {text!r}")
        self.assertEqual([], loose, "texts of docs/errors.md that begin as no literal of the sources does:\n" + "\n".join(loose))

    def test_internal_literals_exist(self):
        templates = {message.template.strip("\n") for message in all_messages()}
        self.assertEqual(set(), set(INTERNAL) - templates)

    def test_messages_speak_with_one_voice(self):
        for message in self.messages:
            text = re.sub(r"^(rota[-a-z]*: )", "", message.template.strip("\n"))
            with self.subTest(str(message)):
                self.assertNotRegex(text, r"[a-z]\.$", "ends with a full stop")
                self.assertNotRegex(text, r"^[A-Z][a-z]+ [a-z]", "begins with a capital")
                self.assertNotIn("`", text, "quotes with backquotes")
                self.assertNotRegex(text, r"!|\bplease\b|\bsorry\b|\bfailed to\b", "is not plain")
                self.assertNotIn("  ", text, "holds two spaces")


class Codes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rows = read_rows()

    def source(self, path):
        return (ROOT / path).read_text()

    def table(self, heading):
        return [row.cells for row in self.rows if row.heading == heading]

    def test_protocol_codes(self):
        source = self.source("common/base/code.cc")
        names = re.findall(r'"([A-Z_]+)"', source)
        values = [name.upper() for name in re.findall(r"^  (\w+) = \d+,", self.source("common/base/code.h"), re.M)]
        self.assertEqual(values, names)
        retryable = {name.upper() for name in re.findall(r"code == Code::(\w+)", source)}
        exits, waiting = {}, []
        constants = dict(re.findall(r"(kExit\w+) = (\d+)", self.source("common/program/exit_code.h")))
        for line in self.source("common/program/exit_code.cc").splitlines():
            if named := re.search(r"case Code::(\w+):", line):
                waiting.append(named[1].upper())
            elif constant := re.search(r"return (\w+);", line):
                exits |= {name: constants[constant[1]] for name in waiting}
                waiting = []
        told = [(row["code"], row["name"], row["retryable"], row["exit"]) for row in self.table("Codes")]
        self.assertEqual([(str(number), name, "–" if name == "OK" else "yes" if name in retryable else "no", exits[name])
                          for number, name in enumerate(names)], told)

    def test_exit_codes(self):
        constants = set(re.findall(r"kExit\w+ = (\d+)", self.source("common/program/exit_code.h")))
        told = {row["exit"] for row in self.table("Exit codes")}
        self.assertEqual(constants | {"134"}, told)
        for row in self.rows:
            for column in ("exit", "exit, code"):
                number = re.match(r"\d+", row.cells.get(column, ""))
                self.assertTrue(number is None or number[0] in told, row)

    def test_error_codes_of_jobs(self):
        found = set()
        for part in ("broker", "worker"):
            for path in sorted((ROOT / part).rglob("*.cc")):
                found |= set(re.findall(r'(?:Outcome::(?:failure|rejection)\(|error_code = )"([A-Z_]+)"', path.read_text()))
        self.assertEqual(found, {row["error code"] for row in self.table("Error codes of jobs")})

    def test_codes_of_rows_exist(self):
        names = {row["name"] for row in self.table("Codes")} | {row["error code"] for row in self.table("Error codes of jobs")}
        for row in self.rows:
            for column in ("code", "exit, code"):
                for name in re.findall(r"\b[A-Z_]{4,}\b", row.cells.get(column, "")):
                    self.assertIn(name, names | {"REASON"}, row)

    def test_links_lead_to_headings(self):
        for link in re.findall(r"\]\(([\w-]*\.md)?#([\w-]+)\)", PAGE.read_text()):
            page = PAGE if not link[0] else PAGE.parent / link[0]
            text = page.read_text()
            anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", text, re.M)}
            self.assertIn(link[1], anchors | set(re.findall(r'id="([\w-]+)"', text)), link)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]])
