"""Texts cut in child processes: what they are given, and that killing them loses nothing."""

import os
import signal
import threading
import time

import service
from service import ServiceTest


def children_of(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as listed:
                found += [int(child) for child in listed.read().split()]
        except FileNotFoundError:
            continue  # a thread that has ended meanwhile
    return found


class Isolated(ServiceTest):
    settings = {"CHUNKER_ISOLATED": "1"}

    def test_a_child_has_neither_its_parents_secrets_nor_its_files(self):
        self.wait_processed(self.create("Tea", "Green tea is best at eighty degrees."))
        children = children_of(self.service.process.pid)
        self.assertTrue(children)
        for child in children:
            with open(f"/proc/{child}/environ", "rb") as environment:
                self.assertNotIn(service.KEY.encode(), environment.read())
            self.assertLessEqual(set(os.listdir(f"/proc/{child}/fd")), {"0", "1", "2", "3"})

    def test_children_killed_again_and_again_lose_nothing(self):
        pid = self.service.process.pid
        stopping = threading.Event()
        killed = []

        def kill():
            while not stopping.wait(0.03):
                for child in children_of(pid):
                    try:
                        os.kill(child, signal.SIGKILL)
                        killed.append(child)
                    except ProcessLookupError:
                        pass

        killer = threading.Thread(target=kill)
        killer.start()
        memos = [self.create(f"Memo {i}", f"<p>Word{i} is in a text of its own.</p>" * 40)
                 for i in range(40)]
        time.sleep(1)
        stopping.set()
        killer.join()
        self.assertGreater(len(killed), 5)
        for memo in memos:
            self.wait_processed(memo)
        found = self.search("word7", limit=50)
        self.assertEqual(len({hit["chunk_uuid"] for hit in found}), len(found))
