#!/usr/bin/python3
"""Fills the hex examples of docs/protocol.md from the golden files.

A block that begins with ```hex NAME gets the bytes of tests/golden/NAME.hex, one msgpack value a line, each with what it
says. The unit test of the page holds the bytes to the files; this script only saves typing them:

    tests/golden/annotate.py docs/protocol.md
"""

import pathlib
import re
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
WIDTH = 57  # column at which the text begins: behind a whole id


def golden(name):
    text = (HERE / f"{name}.hex").read_text()
    return bytes.fromhex("".join(line for line in text.splitlines() if not line.startswith("#")))


def show_bytes(data):
    if len(data) == 16 and data[6] >> 4 in (4, 7) and data[8] >> 6 == 2:
        h = data.hex()
        return f"bin {h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
    if all(32 <= b < 127 or b == 10 for b in data):
        return 'bin "' + data.decode().replace("\n", "\\n") + '"'
    return f"bin of {len(data)} bytes"


class Walker:
    def __init__(self, data):
        self.data, self.at, self.lines = data, 0, []

    def take(self, count):
        piece = self.data[self.at:self.at + count]
        self.at += count
        return piece

    def emit(self, start, depth, text):
        self.lines.append((self.data[start:self.at], depth, text))

    def number(self, format_, size):
        return struct.unpack(format_, self.take(size))[0]

    def value(self, depth):
        start = self.at
        tag = self.take(1)[0]
        sizes = {0: (">B", 1), 1: (">H", 2), 2: (">I", 4), 3: (">Q", 8)}
        if tag < 0x80:
            return self.emit(start, depth, str(tag))
        if tag >= 0xE0:
            return self.emit(start, depth, str(tag - 256))
        if 0xCC <= tag <= 0xCF:
            return self.emit(start, depth, str(self.number(*sizes[tag - 0xCC])))
        if 0xD0 <= tag <= 0xD3:
            form, size = sizes[tag - 0xD0]
            return self.emit(start, depth, str(self.number(form.lower(), size)))
        if tag in (0xC0, 0xC2, 0xC3):
            return self.emit(start, depth, {0xC0: "nil", 0xC2: "false", 0xC3: "true"}[tag])
        if tag == 0xCB:
            return self.emit(start, depth, str(self.number(">d", 8)))
        if 0xA0 <= tag <= 0xBF or tag == 0xD9:
            size = tag & 0x1F if tag != 0xD9 else self.number(">B", 1)
            text = self.take(size).decode()
            return self.emit(start, depth, '"' + text + '"')
        if tag == 0xC4:
            return self.emit(start, depth, show_bytes(self.take(self.number(">B", 1))))
        if 0x90 <= tag <= 0x9F or tag == 0xDC:
            count = tag & 0x0F if tag != 0xDC else self.number(">H", 2)
            self.emit(start, depth, f"array of {count}")
            for _ in range(count):
                self.value(depth + 1)
            return None
        if 0x80 <= tag <= 0x8F or tag == 0xDE:
            count = tag & 0x0F if tag != 0xDE else self.number(">H", 2)
            self.emit(start, depth, f"map of {count}")
            for _ in range(2 * count):
                self.value(depth + 1)
            return None
        raise ValueError(f"no rule for byte {tag:#x}")


def block(name):
    walker = Walker(golden(name))
    walker.value(0)
    assert walker.at == len(walker.data), name
    out = []
    for data, depth, text in walker.lines:
        words = data.hex(" ").split()
        rows = [" ".join(words[i:i + 18]) for i in range(0, len(words), 18)]
        for row in rows[:-1]:
            out.append(row)
        out.append(f"{rows[-1]:<{WIDTH - 2}}  {'  ' * depth}{text}")
    return "\n".join(out)


def main():
    page = pathlib.Path(sys.argv[1])
    text = page.read_text()
    text = re.sub(r"```hex (\w+)\n.*?```", lambda m: f"```hex {m.group(1)}\n{block(m.group(1))}\n```", text, flags=re.S)
    page.write_text(text)


main()
