"""Holds the Python side and docs/protocol.md to each other: every example, message, field, code and number of the page."""

import ctypes
import ctypes.util
import dataclasses
import re
import struct
import sys
import unittest
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "integration"))

import rota_harness
from protocol_page import Page, names, number_in
from rota_interop import messages as m
from rota_interop.codec import Array, BadMessage, pack, unpack
from rota_interop.ids import make_id, slot_of

PAGE = Page()
PIECES = {"spec": m.Spec, "report": m.Report, "item_body": m.ItemBody}  # examples that are no messages
SHAPES = [one for one in vars(m).values() if isinstance(one, type) and dataclasses.is_dataclass(one) and one is not m.Unknown]


def field_names(shape):
    return tuple(one.name for one in dataclasses.fields(shape))


def rows_as_names(section, *heading):
    return [name for row in PAGE.sections[section].table(*heading) for name in names(row[0])]


class Examples(unittest.TestCase):
    def test_every_example_is_read_and_written_back_byte_for_byte(self):
        for name in PAGE.examples:
            with self.subTest(name):
                frame = PAGE.example(name)
                if name in PIECES:
                    self.assertEqual(frame, pack(PIECES[name].read(unpack(frame), name).write()))
                    continue
                message = m.decode(frame)
                self.assertNotIsInstance(message, m.Unknown)
                self.assertEqual(frame, m.encode(message))

    def test_every_message_has_an_example(self):
        shown = {type(m.decode(PAGE.example(name))) for name in PAGE.examples if name not in PIECES}
        self.assertEqual(set(m.SHAPES.values()), shown)

    def test_a_reader_ignores_further_fields_and_unknown_keys(self):
        for name in PAGE.examples:
            with self.subTest(name):
                value = unpack(PAGE.example(name))
                grown = pack(_grow(value, top=True))
                if name in PIECES:
                    self.assertEqual(PIECES[name].read(value, name), PIECES[name].read(unpack(grown), name))
                elif name != "submitted":  # its bare 0 cannot grow
                    self.assertEqual(m.decode(PAGE.example(name)), m.decode(grown))

    def test_a_reader_refuses_what_is_cut_short_or_too_long(self):
        for name in set(PAGE.examples) - set(PIECES):
            frame = PAGE.example(name)
            for broken in [frame[:length] for length in range(len(frame))] + [frame + b"\0"]:
                with self.subTest(name, broken=broken.hex()), self.assertRaises(BadMessage):
                    m.decode(broken)


def _grow(value, top=False):
    """The same message as a later version may send it."""
    if isinstance(value, list) and top:
        return [*(_grow(one) if isinstance(one, dict) else one for one in value), *[None] * 16, "new"]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value) and ("min" in value or "version" in value):
        return {**value, "a key of the future": [1, {"x": None}]}
    return value


class Tables(unittest.TestCase):
    """The page and the Python side know the same things. Where one grows, the other has to."""

    def test_message_types(self):
        rows = PAGE.sections["Envelope"].table("type", "name")
        self.assertEqual({one.name: int(one) for one in m.Type}, {row[1]: int(row[0]) for row in rows})
        self.assertEqual(set(m.Type), set(m.SHAPES))

    def test_answers_named_beside_the_types_exist(self):
        for row in PAGE.sections["Envelope"].table("type", "name"):
            for name in re.findall(r"[A-Z_]{4,}", row[3]):
                self.assertIn(name, m.Type.__members__)

    def test_codes_and_which_are_retryable(self):
        rows = PAGE.sections["Codes"].table("code", "name")
        self.assertEqual({one.name: int(one) for one in m.Code}, {row[1]: int(row[0]) for row in rows})
        self.assertEqual({one.name for one in m.RETRYABLE}, {row[1] for row in rows if row[3].startswith("yes")})

    def test_states_ends_and_durability(self):
        section = PAGE.sections["States"]
        cells = [cell for row in section.table("state", "name") for cell in (row[0:2], row[3:5])]
        self.assertEqual({one.name.lower(): int(one) for one in m.State}, {re.match(r"\w+", text)[0]: int(n) for n, text in cells})
        ends = re.search(r"How an attempt ended \(`end`\): (.*?)\.\n\n", section.text, re.DOTALL)[1]
        self.assertEqual({one.name.lower(): int(one) for one in m.End},
                         {name: int(n) for n, name in re.findall(r"(\d) (\w+)", ends)})
        durability = re.search(r"Durability: (.*?);", section.text, re.DOTALL)[1]
        self.assertEqual({one.name.lower(): int(one) for one in m.Durability},
                         {name: int(n) for n, name in re.findall(r"(\d) (\w+)", durability)})

    def test_options(self):
        rows = PAGE.sections["Options"].table("key", "name")
        self.assertEqual({one.name: one.metadata["key"] for one in dataclasses.fields(m.Options)},
                         {row[1]: int(row[0]) for row in rows})

    def test_limits(self):
        self.assertEqual(m.LIMITS, {row[0]: number_in(row[1]) for row in PAGE.sections["Limits"].table("limit", "value")})

    def test_signatures_of_messages(self):
        signatures = PAGE.message_signatures()
        self.assertEqual({int(one) for one in m.Type}, set(signatures))
        for number, fields in signatures.items():
            with self.subTest(m.Type(number).name, page=fields):
                known = field_names(m.SHAPES[m.Type(number)])
                self.assertEqual(len(known), len(fields))
                for name, text in zip(known, fields):
                    if re.fullmatch(r"[a-z_]+", text):
                        self.assertEqual(name, text)

    def test_field_lists(self):
        known = {field_names(shape) for shape in SHAPES if issubclass(shape, Array)}
        words = {("a", "b"), ("min", "max"), ("type", "request", "field…")}  # prose, no structures
        on_page = PAGE.field_lists() - words
        self.assertEqual(set(), on_page - known, "the page has structures that the Python side does not know")
        for shape in (m.Token, m.Spec, m.Command, m.Report, m.ItemBody, m.Shared, m.Item, m.QueueWeight, m.SlotRange, m.Answer, m.Notice,
                      m.RetryItem, m.DispatchShared, m.DispatchItem, m.Completion, m.Progress):
            self.assertIn(field_names(shape), on_page)

    def test_maps_and_tables_of_fields(self):
        expected = {
            ("HELLO (1)", "key"): m.Greeting, ("WELCOME (2)", "key"): m.Session, ("JOBS (21)", "key"): m.Job,
            ("LIST (25)", "key"): m.Filter, ("Spec", "field"): m.Spec, ("Report", "field"): m.Report,
            ("SUBMIT (16)", "field of an item"): m.Item, ("SUBMITTED (17)", "field"): m.Answer, ("NOTIFY (19)", "field"): m.Notice,
            ("DISPATCH (48)", "field of an item"): m.DispatchItem}
        for (section, heading), shape in expected.items():
            with self.subTest(section):
                self.assertEqual(set(field_names(shape)), set(rows_as_names(section, heading)))

    def test_every_table_of_fields_names_only_what_is_known(self):
        known = {name for shape in SHAPES for name in field_names(shape)}
        known |= {name for arguments, keys in m.ADMIN_VERBS.values() for name in (*arguments, *keys)}
        for section in PAGE.sections.values():
            for rows in section.tables():
                if rows[0][0].startswith(("field", "key", "argument")) and section.title != "Options":
                    for row in rows[1:]:
                        for name in re.split(r"[,;] ", row[0]):
                            self.assertIn(name, known, f"in section {section.title}")

    def test_administrative_verbs(self):
        on_page = {}
        for verbs, arguments, keys in PAGE.sections["ADMIN (27), ADMIN_REPLY (28)"].table("verb"):
            for verb in names(verbs):
                on_page[verb] = (re.findall(r"`(\w+)`", arguments), re.findall(r"`(\w+)`", keys))
        self.assertEqual({verb: tuple(map(list, known)) for verb, known in m.ADMIN_VERBS.items()}, on_page)

    def test_messages_named_in_what_is_allowed_when_exist(self):
        section = PAGE.sections["What is allowed when"]
        for heading in ("message to the broker", "message from the broker"):
            for row in section.table(heading):
                for name in re.findall(r"[A-Z_]{4,}", row[0]):
                    self.assertIn(name, m.Type.__members__)

    def test_no_message_or_code_is_named_that_is_unknown(self):
        """One that only the prose mentions is found here."""
        known = set(m.Type.__members__) | set(m.Code.__members__) | {"EXIT", "EXEC_FAILED"}  # error codes of reports
        known |= {"LANG", "PATH", "ZMQ_IMMEDIATE", "EVENT", "OUTPUT"}
        named = set(re.findall(r"(?:ERROR |`)`?([A-Z][A-Z_]{2,})\b", PAGE.prose)) | set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", PAGE.prose))
        self.assertEqual(set(), {word for word in named - known if not word.startswith("ROTA_")})


class Ids(unittest.TestCase):
    def test_the_slot_of_default_is_the_one_on_the_page(self):
        self.assertEqual(0x656, slot_of("default"))

    def test_an_id_holds_version_slot_variant_and_time(self):
        made = make_id("default", 1795343400000)
        self.assertEqual(7, made.version)
        self.assertEqual(uuid.RFC_4122, made.variant)
        self.assertEqual(1795343400000, made.int >> 80)
        self.assertEqual("7656", str(made).split("-")[2])


class Content(unittest.TestCase):
    """The section Content, from its own words, with the XXH3 of Debian's libxxhash."""

    def setUp(self):
        library = ctypes.util.find_library("xxhash")
        if library is None:
            self.skipTest("libxxhash is not installed")
        self.xxh3 = ctypes.CDLL(library).XXH3_64bits
        self.xxh3.restype, self.xxh3.argtypes = ctypes.c_uint64, (ctypes.c_char_p, ctypes.c_size_t)

    def shared(self, queue, kind, spec):
        command = b"\0"
        if spec.command:
            command = b"\1" + struct.pack("<I", len(spec.command.argv)) + b"".join(map(lp, spec.command.argv))
            command += pairs(spec.command.env) + lp(spec.command.cwd)
        headers = pairs({name.encode(): value.encode() for name, value in spec.headers.items()})
        return self.hash(lp(queue.encode()) + lp(kind.encode()) + headers + command)

    def content(self, shared, key, selector, payload):
        select = b"\0"
        if isinstance(selector, int):
            select = b"\1" + struct.pack("<q", selector)
        elif selector is not None:
            select = b"\2" + lp(selector)
        return self.hash(struct.pack("<Q", shared) + lp(key.encode()) + select + lp(payload))

    def hash(self, data):
        return self.xxh3(data, len(data))

    def test_vectors(self):
        """The cells are read as the page words them: `b`, line `photo 1.jpg`, `b.png`."""
        rows = PAGE.sections["Content"].table("queue, type", "spec")
        self.assertLess(4, len(rows))
        shared = None
        for where, spec_text, parts, shared_hash, content_hash in rows:
            with self.subTest(where=where, parts=parts):
                if where:
                    queue, kind = re.findall(r"`(\w+)`", where)
                    shared = self.shared(queue, kind, read_spec(spec_text))
                    self.assertEqual(shared_hash, f"`{shared:016x}`")
                key, selector, payload = (read_part(part) for part in parts.split(", "))
                self.assertEqual(content_hash, f"`{self.content(shared, (key or b'').decode(), selector, payload or b''):016x}`")


def lp(data):
    return struct.pack("<I", len(data)) + data


def pairs(values):
    return struct.pack("<I", len(values)) + b"".join(lp(name) + lp(values[name]) for name in sorted(values))


def read_part(text):
    if text in ("none", "empty"):
        return None
    if text.startswith("index"):
        return int(text.removeprefix("index ").replace("−", "-"))
    return re.search(r"`(.*)`", text)[1].encode()


def read_spec(text):
    """`none`, or: headers `a`=`b`; argv `x`, `y`; env `A`=`B`; cwd `/d`."""
    if text == "none":
        return m.Spec()
    found = {part.split()[0]: re.findall(r"`(.*?)`", part) for part in text.split("; ")}
    argv, env, headers = found["argv"], found["env"], found["headers"]
    command = m.Command(tuple(one.encode() for one in argv), {env[0].encode(): env[1].encode()}, found["cwd"][0].encode())
    return m.Spec(command, {headers[0]: headers[1]})


if __name__ == "__main__":
    rota_harness.main()
