#!/usr/bin/env python3
"""check_includes.py must be able to fail: each rule is broken once in a small tree of its own."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).with_name("check_includes.py")


def run(files):
    """Exit code and output for a tree of {path: text}."""
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            file = pathlib.Path(root, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        result = subprocess.run(
            [sys.executable, SCRIPT, "--root", root], capture_output=True, text=True, check=False
        )
        return result.returncode, result.stdout


class CheckIncludesTest(unittest.TestCase):
    def assert_refused(self, path, line, *expected):
        code, output = run({path: f"// A file.\n#pragma once\n{line}\n"})
        self.assertEqual(code, 1, output)
        self.assertIn(f"{path}:3: ", output)
        for text in expected:
            self.assertIn(text, output)

    def assert_accepted(self, path, line):
        code, output = run({path: f"{line}\n"})
        self.assertEqual(code, 0, output)

    def test_upper_layers_are_refused(self):
        for path, included in [
            ("base/stats.cc", "base/metric/glob.h"),
            ("base/metric/glob.cc", "base/cluster/hash.h"),
            ("base/net/http_server.cc", "base/metric/glob.h"),
            ("storage/log/log_reader.cc", "storage/engine.h"),
            ("storage/fs/file_system.cc", "storage/log/log_reader.h"),
            ("storage/engine.cc", "proto/convert.h"),
            ("storage/ring/ring_file.cc", "base/cluster/hash.h"),
            ("proto/convert.cc", "storage/engine.h"),
            ("node/main.cc", "router/router_config.h"),
            ("router/main.cc", "node/node_config.h"),
            ("router/forward/hint_spool.cc", "storage/engine.h"),
            ("router/forward/hint_spool.cc", "storage/ring/ring_file.h"),
            ("node/main.cc", "tests/testing/fault_file_system.h"),
            ("base/config.cc", "bench/load_profile.h"),
        ]:
            with self.subTest(path=path, included=included):
                self.assert_refused(path, f'#include "{included}"', included)

    def test_libraries_stay_where_they_belong(self):
        for path, included in [
            ("storage/engine.cc", "leveldb/db.h"),
            ("router/main.cc", "leveldb/db.h"),
            ("base/stats.cc", "spdlog/logger.h"),
            ("node/node_config.cc", "toml++/toml.h"),
            ("router/query/evaluator.cc", "grpcpp/grpcpp.h"),
            ("storage/engine.cc", "grpcpp/grpcpp.h"),
            ("storage/engine.cc", "points.pb.h"),
            ("base/coding.h", "google/protobuf/message.h"),
            ("node/main.cc", "boost/asio.hpp"),
        ]:
            with self.subTest(path=path, included=included):
                self.assert_refused(path, f"#include <{included}>", "only")

    def test_includes_start_at_the_root(self):
        self.assert_refused("base/stats.cc", '  #  include "mutex.h"', "root of the repository")

    def test_the_arrows_are_accepted(self):
        for path, included in [
            ("base/cluster/topology.cc", "base/config.h"),
            ("storage/engine.cc", "storage/log/segmented_log.h"),
            ("storage/engine.cc", "storage/ring/ring_store.h"),
            ("storage/index/metric_index.cc", "leveldb/db.h"),
            ("router/forward/hint_spool.cc", "storage/log/segmented_log.h"),
            ("router/query/scatter.cc", "base/cluster/partition_map.h"),
            ("router/query/scatter.cc", "router/query/node_reader.h"),
            ("node/write_service.cc", "node.grpc.pb.h"),
            ("node/write_service.cc", "storage/engine.h"),
            ("bench/log_bench.cc", "storage/engine.h"),
            ("tests/base/stats_test.cc", "router/query/evaluator.h"),
            ("base/stats.cc", "absl/strings/str_cat.h"),
        ]:
            with self.subTest(path=path, included=included):
                self.assert_accepted(path, f'#include "{included}"')
        self.assert_accepted("base/stats.cc", "#include <vector>")
        self.assert_accepted("base/stats.cc", '// #include "router/main.h"')

    def test_every_problem_is_listed(self):
        code, output = run(
            {"node/a.cc": '#include "router/a.h"\n#include "router/b.h"\n', "router/b.cc": '#include "node/a.h"\n'}
        )
        self.assertEqual(code, 1)
        for place in ["node/a.cc:1:", "node/a.cc:2:", "router/b.cc:1:", "3 includes against"]:
            self.assertIn(place, output)

    def test_an_empty_tree_is_a_mistake(self):
        self.assertEqual(run({})[0], 1)


if __name__ == "__main__":
    unittest.main()
