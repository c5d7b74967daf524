#!/usr/bin/env python3
"""Self-test of check_layers.py: what must be refused is refused, what is allowed passes."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import check_layers  # noqa: E402


def findings(**files):
    """Findings for files given as name=text, '__' standing for '/' and '_h' / '_cc' for the ending."""
    tree = {"common/base/clock.h": "#pragma once\n", "common/wire/message.h": "#pragma once\n",
            "broker/queue/core.h": "#pragma once\n", "broker/queue/record.h": "#pragma once\n",
            "common/program/log.h": "#pragma once\n"}
    for name, text in files.items():
        stem, ending = name.replace("__", "/").rsplit("_", 1)
        tree[f"{stem}.{ending}"] = text
    return check_layers.findings(tree)


class LayerCheck(unittest.TestCase):
    def assert_refused(self, expected, found):
        self.assertTrue(any(expected in line for line in found), found)

    def test_allowed_includes_pass(self):
        self.assertEqual([], findings(
            broker__queue__ready_cc='#include <vector>\n#include "common/base/clock.h"\n#include <absl/container/btree_map.h>\n',
            broker__store__lmdb_cc='#include <lmdb.h>\n#include "broker/queue/record.h"\n',
            common__net__socket_cc="#include <zmq.h>\n",
            broker__server__broker_main_cc='#include "common/program/log.h"\n'))

    def test_core_may_not_know_the_protocol(self):
        self.assert_refused("broker/queue may not include common/wire",
                            findings(broker__queue__ready_cc='#include "common/wire/message.h"\n'))

    def test_client_may_not_know_the_broker(self):
        self.assert_refused("client may not include broker/queue", findings(client__call_cc='#include "broker/queue/core.h"\n'))

    def test_store_may_take_only_records_of_the_queue(self):
        self.assert_refused("may take only", findings(broker__store__lmdb_cc='#include "broker/queue/core.h"\n'))

    def test_libraries_may_not_use_what_programs_share(self):
        self.assert_refused("may not include common/program", findings(worker__pool_cc='#include "common/program/log.h"\n'))

    def test_zeromq_appears_in_net_only(self):
        self.assert_refused("<zmq.hpp> may not appear here", findings(broker__server__loop_cc="#include <zmq.hpp>\n"))

    def test_msgpack_appears_in_the_codec_sources_only(self):
        self.assert_refused("may not appear here", findings(common__wire__codec_h="#pragma once\n#include <msgpack.hpp>\n"))
        self.assertEqual([], findings(common__wire__codec_cc="#include <msgpack.hpp>\n"))

    def test_core_is_pure(self):
        self.assert_refused("pure part", findings(broker__queue__ready_cc="#include <thread>\n"))
        self.assert_refused("may not appear here", findings(broker__queue__ready_cc="#include <unistd.h>\n"))

    def test_unknown_external_headers_are_refused(self):
        self.assert_refused("not in the table", findings(worker__pool_cc="#include <boost/asio.hpp>\n"))

    def test_include_cycle_is_refused(self):
        self.assert_refused("include cycle: worker/a.h -> worker/b.h", findings(
            worker__a_h='#pragma once\n#include "worker/b.h"\n', worker__b_h='#pragma once\n#include "worker/a.h"\n'))

    def test_missing_header_is_refused(self):
        self.assert_refused("does not exist", findings(worker__a_cc='#include "common/base/clok.h"\n'))

    def test_sizes_are_limited(self):
        self.assert_refused("at most 200", findings(worker__a_h="#pragma once\n" + "\n" * 200))
        self.assert_refused("at most 500", findings(worker__a_cc="\n" * 501))

    def test_vague_names_are_refused(self):
        self.assert_refused("says nothing", findings(worker__string_utils_cc=""))

    def test_unknown_folders_are_refused(self):
        self.assert_refused("in no part", findings(common__stuff__a_cc=""))


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-q"])
