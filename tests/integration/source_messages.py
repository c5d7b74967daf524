"""The messages in the C++ sources, read out of the sources.

A message is an expression that holds a string literal of words: `"cannot bind " + endpoint + ": another process has this
address"`. What is joined to a literal by `+`, `+=`, `.append()` or a format's `%s` or `{}` is a gap. All literals of words are
messages, whatever they are given to, but those given to what NOT_MESSAGES names: so a message that is made in a new way is seen.
"""

import dataclasses
import functools
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PARTS = ("common", "broker", "worker", "client")
GAP = "\0"

# Functions, constructors and fields whose literals are never shown as a message, by why.
NOT_MESSAGES = {
    # help and tables of the programs, which docs/cli.md describes
    "help", "option", "own", "repeated", "add_option", "add_subcommand", "footer", "options", "set_version_flag", "set_help_flag",
    "Command", "IdsCommand", "ShowCommand", "ActOnCommand", "add", "add_time", "print_number", "print_size", "printf", "more",
    # names of fields, which stand in front of the message that is made with them
    "at", "has", "field", "fields", "set_field", "read_list", "read_tokens", "require_field",
    # metrics, which docs/metrics.md describes
    "families", "gauge", "counter", "histogram",
    # what peers are told of a program
    "software",
    # no texts
    "static_assert", "find", "rfind", "find_first_of", "find_first_not_of", "find_last_not_of", "set_pattern",
    # progress, not trouble
    "info", "debug", "trace",
}
# Sources whose words are output that docs/cli.md or docs/metrics.md describes.
NOT_SOURCES = {"broker/server/metrics_text.cc", "client/cli/job_text.cc", "client/cli/progress_bar.cc"}

TOKEN = re.compile(r"""
    (?P<comment>//[^\n]*|/\*.*?\*/)
  | (?P<directive>^[ \t]*\#[^\n]*(?:\\\n[^\n]*)*)
  | (?P<raw>R"\((?P<raw_text>.*?)\)")
  | (?P<string>"(?P<text>(?:[^"\\\n]|\\.)*)")
  | (?P<char>'(?P<char_text>[^'\\\n]|\\.[^'\n]*)')
  | (?P<word>[A-Za-z_0-9][A-Za-z_0-9']*)
  | (?P<sign>::|->|<<|>>|\+=|==|!=|<=|>=|&&|\|\||\+\+|--|.)
""", re.VERBOSE | re.DOTALL | re.MULTILINE)
OPEN, CLOSE = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}
# What ends an expression whose literals belong together.
BOUNDARY = {",", ";", "?", ":", "=", "==", "!=", "<", ">", "<=", ">=", "&&", "||", "<<", ">>", "return", "!"}
# Wrappers that show what they are given.
TRANSPARENT = {"string", "string_view", "move", "append"}
# Functions whose first text is a format.
FORMATTING = {"fprintf", "snprintf", "warn", "error", "critical"}
FORMAT = re.compile(r"%(?:[-.*0-9]*[sdufz]+|\Z)|\{\}")
ESCAPES = {r"\"": '"', r"\\": "\\", r"\n": "\n", r"\t": "\t", r"\0": " "}


@dataclasses.dataclass
class Token:
    kind: str  # string, char, word, sign or group
    text: str
    line: int
    inner: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Message:
    source: str
    line: int
    template: str  # with GAP where something is put in

    def pieces(self):
        return [piece for piece in self.template.split(GAP) if piece]

    def __str__(self):
        return f"{self.source}:{self.line}: {self.template.replace(GAP, '…')!r}"


def tokens_of(text):
    for match in TOKEN.finditer(text):
        kind = match.lastgroup
        line = text.count("\n", 0, match.start()) + 1
        if match["comment"] or match["directive"]:
            continue
        if match["raw"]:
            yield Token("string", match["raw_text"], line)
        elif match["string"]:
            yield Token("string", re.sub(r"\\.", lambda e: ESCAPES.get(e[0], e[0]), match["text"]), line)
        elif match["char"]:
            yield Token("char", re.sub(r"\\.", lambda e: ESCAPES.get(e[0], e[0]), match["char_text"]), line)
        elif match["word"]:
            yield Token("word", match["word"], line)
        elif kind == "sign" and not match["sign"].isspace():
            yield Token("sign", match["sign"], line)


def grouped(tokens):
    """Brackets with what is between them as one token."""
    stack = [[]]
    opened = []
    for token in tokens:
        if token.kind == "sign" and token.text in OPEN:
            opened.append(token)
            stack.append([])
        elif token.kind == "sign" and token.text in CLOSE and opened:
            start = opened.pop()
            inner = stack.pop()
            stack[-1].append(Token("group", start.text, start.line, inner))
        else:
            stack[-1].append(token)
    assert not opened, "brackets do not match"
    return stack[0]


def callee(before):
    """The name in front of a bracket: of `f(`, `a.f(` and `T{`; of `f<T>(` that of T."""
    if before and before[-1].kind == "word":
        return before[-1].text
    if len(before) > 1 and before[-1].text == ">" and before[-2].kind == "word":
        return before[-2].text
    return ""


def without_fields(tokens):
    """Without `.help = …` and other fields of NOT_MESSAGES."""
    kept, i = [], 0
    while i < len(tokens):
        if tokens[i].text == "." and i + 2 < len(tokens) and tokens[i + 1].text in NOT_MESSAGES and tokens[i + 2].text == "=":
            while i < len(tokens) and tokens[i].text not in (",", ";"):
                i += 1
        else:
            kept.append(tokens[i])
            i += 1
    return kept


class Reader:
    def __init__(self, source):
        self.source = source
        self.found = []

    def read(self, tokens, formatted=False):
        """Takes the messages of a sequence of tokens."""
        tokens = without_fields(tokens)
        start = 0
        for i, token in enumerate(tokens):
            if token.kind in ("sign", "word") and token.text in BOUNDARY and not self.is_template_end(tokens, i):
                self.expression(tokens[start:i], formatted)
                start = i + 1
        self.expression(tokens[start:], formatted)

    @staticmethod
    def is_template_end(tokens, i):
        return tokens[i].text == ">" and i + 1 < len(tokens) and tokens[i + 1].kind == "group"

    def expression(self, tokens, formatted):
        template, line = self.template(tokens, formatted)
        if line:
            self.found.append(Message(self.source, line, template))

    def template(self, tokens, formatted):
        """The text of one expression with its gaps, and the line of its first literal (0: it has none)."""
        parts, line = [], 0
        for i, token in enumerate(tokens):
            part = GAP
            if token.kind == "string":
                part = FORMAT.sub(GAP, token.text) if formatted else token.text
                line = line or token.line
            elif token.kind == "char":
                part = token.text
            elif token.kind == "group":
                name = callee(tokens[:i])
                if name in NOT_MESSAGES:
                    self.skip(token.inner)
                elif name in TRANSPARENT and not self.is_split(token.inner):
                    # The name and what qualifies it are no gap: `std::string(`, `.append(`.
                    qualified = i >= 2 and tokens[i - 2].text in ("::", ".")
                    del parts[len(parts) - (1 + qualified + (qualified and tokens[i - 2].text == "::")):]
                    part, inner_line = self.template(token.inner, formatted)
                    line = line or inner_line
                else:
                    self.read(token.inner, name in FORMATTING)
            elif token.text == "+":
                continue
            elif token.text == "+=":
                parts = [GAP]
                continue
            parts.append(part)
        return re.sub(GAP + "+", GAP, "".join(parts)), line

    @staticmethod
    def is_split(tokens):
        return any(token.kind in ("sign", "word") and token.text in BOUNDARY for token in tokens)

    def skip(self, tokens):
        """What is given to a function that shows no message, but for the bodies of functions within."""
        for token in tokens:
            if token.kind == "group" and token.text == "{":
                self.read(token.inner)


WORD = re.compile(r"[a-z]{2,}", re.ASCII)
PROGRAM = re.compile(r"^\0?rota(?:-[a-z]+)?: ")


def is_prose(template):
    """Whether it holds two words, or a word beside a gap; "time limit" does, "tcp://" does not."""
    text = PROGRAM.sub("", template)
    return " " in text and WORD.search(text) is not None and len(re.findall(r"[a-z]{2,}|\0", text)) > 1


def literals_of(path):
    reader = Reader(str(path.relative_to(ROOT)))
    reader.read(grouped(tokens_of(path.read_text())))
    return reader.found


@functools.cache
def all_literals():
    """The expressions with a literal, of words or not, of all sources."""
    found = []
    for part in PARTS:
        for path in sorted((ROOT / part).rglob("*")):
            if path.suffix in (".cc", ".h") and str(path.relative_to(ROOT)) not in NOT_SOURCES:
                found += literals_of(path)
    return found


def all_messages():
    return [literal for literal in all_literals() if is_prose(literal.template)]


if __name__ == "__main__":
    for one in all_messages():
        print(one)
