"""An embedding provider is away for a while: no attempt is spent, search goes on by words, and what
was held is processed when the provider is back, with nobody asking for anything.

Seen to fail: without the breaker, and without heeding when a provider says to come again (open_breaker(), hold() in
actors/provider/limit.c; tests/fault/guards/23.patch, 23b, 23c) it is asked more often."""

import argparse
import os
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "harness"), os.path.join(HERE, "..", "bench")]
import corpus
import live
import provider
from ledger import ask_database
from live import Edda

OPTIONS = argparse.Namespace(edda="build/edda", fake_provider=None)
HELD = 12


def settings(fake):
    return {"EMBEDDING_PROVIDER": "openai", "OPENAI_API_KEY": "sk-test",
            "OPENAI_BASE_URL": fake.url("openai/v1"), "EDDA_LOG_LEVEL": "warning"}


def post(edda, number):
    title, content = corpus.memo(number)
    status, _, answer = edda.request("POST", "/api/v1/memo", {"title": title, "content": content})
    assert status == 201, answer
    return answer["memo_uuid"]


def jobs(edda):
    """[(state, attempts, deaths)] as they stand in the database; 2 is done."""
    return ask_database(edda, "select state, attempts, deaths from job")


def wait_done(edda, count, seconds=90):
    """Looks at the database only: a request would be somebody who asks."""
    until = time.monotonic() + seconds
    while sum(state == 2 for state, _, _ in jobs(edda)) < count:
        assert time.monotonic() < until, (jobs(edda), edda.log()[-2000:])
        time.sleep(0.1)


class Outage(unittest.TestCase):
    def check(self, trouble):
        with provider.FakeProvider(provider.find(OPTIONS.edda, OPTIONS.fake_provider)) as fake, \
                Edda(OPTIONS.edda, environment=settings(fake)) as edda:
            first = post(edda, 0)
            wait_done(edda, 1)
            fake.set(embed=trouble)
            for number in range(1, HELD + 1):
                post(edda, number)
            began = time.monotonic()
            while time.monotonic() - began < 8:
                status, _, answer = edda.request(
                    "POST", "/api/v1/search", {"query": corpus.unique_word(0), "limit": 5})
                self.assertEqual(status, 200, answer)
                self.assertEqual([hit["memo_uuid"] for hit in answer["results"][:1]], [first])
                self.assertIn("vector", answer.get("degraded", ()), answer)
                time.sleep(0.5)
            asked = fake.counters()["embed"]["requests"]
            self.assertLess(asked, 25, "a provider that is away is left alone")
            self.assertEqual(sum(state == 2 for state, _, _ in jobs(edda)), 1, "nothing got through")
            fake.reset()
            wait_done(edda, HELD + 1)
            self.assertEqual({row[1:] for row in jobs(edda)}, {(1, 0)}, "one attempt each, no death")
            status, _, answer = edda.request(
                "POST", "/api/v1/search", {"query": corpus.unique_word(HELD), "limit": 5})
            self.assertEqual((status, answer.get("degraded", [])), (200, []), answer)
            self.assertEqual(edda.stop(), 0)

    def test_a_provider_that_fails(self):
        self.check({"status": 500})

    def test_a_provider_that_hangs_up(self):
        self.check({"close": True})

    def test_a_provider_that_says_come_again(self):
        self.check({"status": 429, "retry_after": "3"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edda", default="build/edda")
    live.add_argument(parser)
    provider.add_argument(parser)
    OPTIONS, rest = parser.parse_known_args()
    OPTIONS.edda = os.path.abspath(OPTIONS.edda)
    unittest.main(argv=[sys.argv[0], "-v", *rest])
