"""The only store, then the only embedder, then the only broker, is killed with -9 again and again while searches run:
it is started again at once, and nobody who asks meanwhile is refused, or answered without it.

Prints how many answers were which. Seen to fail when the broker counts a service as gone as soon as its last worker
is (edda_service_is_gone() in broker/service.c): 503 without a store, answers by words alone without an embedder; and
when a broker that has just started does not wait for its workers (edda_service_of()): 503."""

import argparse
import collections
import os
import signal
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
import live
from live import Edda

OPTIONS = argparse.Namespace(edda="build/edda", kills=4, clients=4)


class Restarts(unittest.TestCase):
    def ask_again_and_again(self, edda, until, answers):
        while not until.is_set():
            try:
                status, _, answer = edda.request("POST", "/api/v1/search", {"query": "green tea"}, timeout=60)
            except OSError as error:  # a thread's own would be lost
                status, answer = str(error), {}
            answers[status, tuple(answer.get("degraded", ()))] += 1

    def kill(self, edda, role, answers):
        """Its next life has served something when this returns."""
        pid, = edda.role(role)
        os.kill(pid, signal.SIGKILL)
        until = time.monotonic() + 60
        while edda.role(role) in ([], [pid]):
            self.assertLess(time.monotonic(), until, f"{role} is not started again\n{edda.log()}")
            time.sleep(0.02)
        enough = sum(answers.values()) + 4 * OPTIONS.clients
        while sum(answers.values()) < enough:
            self.assertLess(time.monotonic(), until, answers)
            time.sleep(0.02)

    def test_who_asks_while_a_worker_is_started_again_waits_and_is_not_refused(self):
        with Edda(OPTIONS.edda, "--processes", "--restarts", "100", environment={"EDDA_LOG_LEVEL": "error"}) as edda:
            status, _, answer = edda.request("POST", "/api/v1/memo", {"title": "Tea", "content": "Green tea is tea."})
            self.assertEqual(status, 201, answer)
            for role in "store", "embedder", "broker":
                done, answers = threading.Event(), collections.Counter()
                clients = [threading.Thread(target=self.ask_again_and_again, args=(edda, done, answers))
                           for _ in range(OPTIONS.clients)]
                for client in clients:
                    client.start()
                try:
                    for _ in range(OPTIONS.kills):
                        self.kill(edda, role, answers)
                        if role == "broker":
                            time.sleep(1.1)  # sessions that last a ping interval are not backed off from
                finally:
                    done.set()
                    for client in clients:
                        client.join()
                print(f"{role} killed {OPTIONS.kills} times: " + ", ".join(
                    f"{count} x {status}{' without ' + ' and '.join(lacking) if lacking else ''}"
                    for (status, lacking), count in sorted(answers.items(), key=str)))
                # Nobody waits for a reranker: its worker may come back to a broker behind the others.
                self.assertLessEqual(set(answers), {(200, ()), (200, ("rerank",))} if role == "broker" else {(200, ())})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edda", default=OPTIONS.edda)
    live.add_argument(parser)
    parser.add_argument("--kills", type=int, default=OPTIONS.kills)
    parser.add_argument("--clients", type=int, default=OPTIONS.clients)
    parser.parse_args(namespace=OPTIONS)
    unittest.main(argv=sys.argv[:1])
