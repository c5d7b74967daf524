#!/usr/bin/env python3
"""Refuses includes that the architecture (docs/architecture.md) does not allow, include cycles and oversized files.

Usage: check_layers.py [ROOT]. Prints one line for each finding; exit 1 if there is any.
"""

import re
import sys
from pathlib import Path

HEADER_LINES = 200
SOURCE_LINES = 500
# What may be longer, and why.
LONGER = {
    "common/wire/message.h": 400,  # the protocol's messages stand in one place
}

# The parts and which others each may include. Programs stand beside the libraries they join; no library includes them.
# `common/program` is what the programs share (options, logging, exit codes); libraries must not know it.
LIBRARIES = ["common/base", "common/wire", "common/net", "broker/queue", "broker/store", "broker/server", "worker", "client"]
ALLOWED = {
    "common/base": [],
    "common/wire": ["common/base"],
    "common/net": ["common/base"],
    "common/program": ["common/base"],
    "broker/queue": ["common/base"],
    "broker/store": ["common/base", "broker/queue"],
    "broker/server": ["common/base", "common/wire", "common/net", "broker/queue", "broker/store"],
    "broker/program": ["common/base", "common/net", "common/program", "broker/queue", "broker/store", "broker/server"],
    "worker": ["common/base", "common/wire", "common/net", "worker/spawner"],
    "worker/spawner": ["common/base"],
    "worker/program": ["common/base", "common/wire", "common/net", "common/program", "worker", "worker/spawner"],
    "client": ["common/base", "common/wire", "common/net"],
    # `rota bench` brings no-op workers of its own.
    "client/cli": ["common/base", "common/wire", "common/net", "common/program", "client", "worker"],
    "bench": LIBRARIES + ["common/program"],
    "examples": LIBRARIES,
    "tests": LIBRARIES + ["common/program", "broker/program", "worker/spawner", "worker/program", "client/cli", "bench"],
}

# What a part may take from another part where that is less than everything.
ONLY_HEADERS = {
    ("broker/store", "broker/queue"): {"broker/queue/record.h", "broker/queue/change.h"},
}

# A program's main() may use common/program wherever it stands.
PROGRAM_SOURCE = re.compile(r"_main\.cc$")

# Headers of other projects: where each may appear (regular expressions on paths).
ANY_TEST = r"^tests/|^bench/"
PROGRAM_FILES = r"^common/program/|^(broker|worker)/program/|^client/cli/|_main\.cc$"
EXTERNAL = [
    (r"^zmq(_addon)?\.h(pp)?$", r"^common/net/|^bench/|^tests/unit/net/"),
    (r"^msgpack(\.hpp|/)", r"^common/wire/[^/]*\.cc$|^tests/fuzz/"),
    (r"^lmdb\.h$", r"^broker/store/|^tests/(unit/store|conformance|crash/preload)/|^bench/compare/"),
    # The clients of what Rota is compared with.
    (r"^(hiredis|libgearman-1\.0|nats)/|^amqp(_tcp_socket)?\.h$", r"^bench/compare/plain_"),
    (r"^xxhash\.h$", r"^common/wire/[^/]*\.cc$|^common/base/keyed_hash\.cc$|^broker/store/|^broker/server/cursor\.cc$|^tests/unit/store/"),
    (r"^absl/", r"^broker/|^worker/|^client/|^common/wire/"),
    (r"^CLI/", PROGRAM_FILES + r"|^bench/|^tests/fuzz/"),
    (r"^toml\+\+/", r"^common/program/"),
    (r"^spdlog/", PROGRAM_FILES + r"|^broker/server/|^worker/"),
    (r"^nlohmann/", PROGRAM_FILES + "|" + ANY_TEST),
    (r"^httplib\.h$", r"^broker/server/|^tests/unit/server/"),
    (r"^prometheus/", r"^broker/server/|^tests/unit/server/"),
    (r"^asio(\.hpp|/)", r"^worker/|^client/"),
    (r"^(gtest|gmock|rapidcheck)(\.h|/)", r"^tests/"),
    (r"^benchmark/", r"^bench/|^tests/"),
    (r"^dlfcn\.h$", r"^tests/|^bench/"),  # what is preloaded stands in front of the C library's functions
    # The operating system. The core is pure: no clock, thread, file or random source of its own.
    (r"^(sys|netinet|arpa|linux)/|^(unistd|fcntl|signal|poll|spawn|sched|dirent|pwd|netdb|pthread|ifaddrs|termios|malloc)\.h$",
     r"^(?!broker/queue/|common/wire/)"),
]
PURE = re.compile(r"^(broker/queue|common/wire)/")
IMPURE_STD = {"thread", "mutex", "shared_mutex", "condition_variable", "future", "iostream", "fstream", "filesystem", "random",
              "atomic", "ctime", "csignal", "cstdio"}
C_HEADERS = {"errno.h", "stddef.h", "stdint.h", "string.h", "stdlib.h", "stdio.h", "time.h", "limits.h"}

VAGUE_NAME = re.compile(r"(^|_)(util|utils|helper|helpers|misc|types|common)\.(h|cc)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)
SOURCE_FOLDERS = ["common", "broker", "worker", "client", "bench", "examples", "tests"]


def part_of(path):
    """The part that a path belongs to; None outside all of them."""
    for part in sorted(ALLOWED, key=len, reverse=True):
        if path.startswith(part + "/"):
            return part
    return None


def include_error(path, included):
    """Why `path` may not include the project's header `included`; None if it may."""
    source, target = part_of(path), part_of(included)
    if target is None:
        return f'"{included}" is in no part of the project'
    if target == "common/program" and PROGRAM_SOURCE.search(path):
        return None
    if target != source and target not in ALLOWED[source]:
        allowed = ", ".join(ALLOWED[source]) or "nothing else"
        return f"{source} may not include {target} ({included}); it may include {allowed}"
    only = ONLY_HEADERS.get((source, target))
    if only is not None and included not in only:
        return f"{source} may take only {', '.join(sorted(only))} from {target}, not {included}"
    return None


def external_error(path, included):
    """Why `path` may not include <included>; None if it may."""
    for pattern, where in EXTERNAL:
        if re.search(pattern, included):
            return None if re.search(where, path) else f"<{included}> may not appear here"
    if "/" in included or (included.endswith((".h", ".hpp")) and included not in C_HEADERS):
        return f"<{included}> is not in the table of allowed headers (scripts/check_layers.py)"
    if PURE.match(path) and included in IMPURE_STD:
        return f"<{included}> may not appear in a pure part"
    return None


def cycles(graph):
    """Every strongly connected component of more than one node, and self-loops, as sorted lists."""
    index, low, on_stack, stack, found = {}, {}, set(), [], []

    def visit(root):
        work = [(root, iter(sorted(graph.get(root, ()))))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, edges = work[-1]
            for target in edges:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    on_stack.add(target)
                    work.append((target, iter(sorted(graph.get(target, ())))))
                    break
                if target in on_stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    component = []
                    while True:
                        member = stack.pop()
                        on_stack.discard(member)
                        component.append(member)
                        if member == node:
                            break
                    if len(component) > 1 or node in graph.get(node, ()):
                        found.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def findings(files):
    """All findings for {path: text}, as lines "path: what is wrong"."""
    out, graph, folders = [], {}, {}
    for path, text in sorted(files.items()):
        if part_of(path) is None:
            out.append(f"{path}: is in no part of the project; extend the table in scripts/check_layers.py")
            continue
        lines = text.count("\n")
        limit = LONGER.get(path, HEADER_LINES if path.endswith(".h") else SOURCE_LINES)
        if lines > limit:
            out.append(f"{path}: {lines} lines, at most {limit}; split it by job")
        if VAGUE_NAME.search(Path(path).name):
            out.append(f"{path}: the name says nothing about what is in it")
        if path.endswith(".h") and not text.lstrip().startswith("#pragma once"):
            out.append(f"{path}: a header begins with #pragma once")
        for bracket, included in INCLUDE.findall(text):
            other_project = part_of(included) is None and any(re.search(pattern, included) for pattern, _ in EXTERNAL)
            if bracket == "<" or other_project:
                error = external_error(path, included)
            else:
                error = include_error(path, included)
                if included not in files and error is None and not included.startswith("generated/"):
                    error = f'"{included}" does not exist; includes are written from the top of the tree'
                graph.setdefault(path, set()).add(included)
                target = part_of(included)
                if target is not None and target != part_of(path):
                    folders.setdefault(part_of(path), set()).add(target)
            if error:
                out.append(f"{path}: {error}")
    out += [f"include cycle: {' -> '.join(group)}" for group in cycles(graph)]
    out += [f"cycle of folders: {' -> '.join(group)}" for group in cycles(folders)]
    return out


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent)
    files = {}
    for folder in SOURCE_FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".h", ".cc") and path.is_file():
                files[path.relative_to(root).as_posix()] = path.read_text(encoding="utf-8")
    found = findings(files)
    for line in found:
        print(line, file=sys.stderr)
    print(f"{len(files)} files, {len(found)} findings")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
