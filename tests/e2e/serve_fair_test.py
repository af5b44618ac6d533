"""serve: no key can take queue or cache from the others, or see what they sent."""

import json
import threading

from operations import Operation, until
from program import main
from servers import MODEL_ID, QUESTION

NO_END = {"0": -100, "2": -100}


class Fair(Operation):
    def test_a_key_that_floods_keeps_nobody_out(self):
        self.key_file(flood={}, other={})
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--max-concurrent", 1, "--max-queue", 7,
                            "--api-keys", "keys.json")
        answers, lock = [], threading.Lock()

        def ask(key, tokens):
            answer = server.complete(key=f"key-{key}", max_tokens=tokens, logit_bias=NO_END)
            with lock:
                answers.append((key, answer))

        threads = [threading.Thread(target=ask, args=("flood", 150)) for _ in range(12)]
        for thread in threads:
            thread.start()
        # Of 8 places one key gets 4; who comes beyond is sent away at once.
        self.assertTrue(until(lambda: len(answers) == 8))
        refused = [answer for _, answer in answers]
        for answer in refused:
            self.assertEqual(answer.error, (429, "key_queue_full", None))
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        # The other is let in, and its turn comes before the flood has ended.
        ask("other", 1)
        before = len(answers)
        answer, = [answer for key, answer in answers if key == "other"]
        self.assertEqual(answer.status, 200, answer.body)
        self.assertLess(before, 13, "the flood had ended before")
        for thread in threads:
            thread.join()
        self.assertEqual(sum(answer.status == 200 for key, answer in answers if key == "flood"), 4)
        # All is given back.
        ask("flood", 1)
        self.assertEqual(answers[-1][1].status, 200)
        self.assertEqual(json.loads(refused[0].body)["error"]["type"], "rate_limit_error")

    def test_whole_contexts_of_a_key_keep_nobody_waiting(self):
        self.key_file(flood={}, other={})
        # Two whole contexts fill the cache.
        server = self.serve("--store", "nowhere", "--allow-unpatched", "--max-concurrent", 4, "--context", 512,
                            "--cache-tokens", 1024, "--api-keys", "keys.json")
        body = json.dumps({"model": MODEL_ID, "messages": QUESTION, "logit_bias": NO_END})
        connections = [server.connect() for _ in range(8)]
        for connection in connections:
            self.addCleanup(connection.close)
            connection.request("POST", "/v1/chat/completions", body,
                               {"Content-Type": "application/json",
                                "Authorization": "Bearer key-flood"})

        def open_requests():
            return sum(server.metric(f"llmpatch_requests_{state}", key="key-other")
                       for state in ["running", "waiting"])

        self.assertTrue(until(lambda: open_requests() == 8))
        for _ in range(3):
            answer = server.chat(key="key-other", max_tokens=2)
            self.assertEqual(answer.status, 200, answer.body)
        # None of the flood has ended meanwhile. The last answer counts for a moment after it was sent.
        self.assertTrue(until(lambda: open_requests() <= 8))
        self.assertEqual(open_requests(), 8)
        for connection in connections:
            connection.close()
        self.assertTrue(until(lambda: open_requests() == 0))

    def test_a_key_does_not_see_what_another_sent(self):
        self.key_file(one={}, other={})
        for layout in ["unified", "split"]:
            server = self.serve("--store", "nowhere", "--allow-unpatched", "--max-concurrent", 2, "--context", 512,
                                "--cache-layout", layout, "--api-keys", "keys.json")

            def cached(key):
                answer = server.complete(key=f"key-{key}", prompt="The sea is very large. " * 20)
                self.assertEqual(answer.status, 200, answer.body)
                return answer.json["usage"]["prompt_tokens_details"]["cached_tokens"]

            self.assertEqual(cached("one"), 0)
            self.assertGreater(cached("one"), 50)
            self.assertEqual(cached("other"), 0)
            self.assertGreater(cached("other"), 50)


if __name__ == "__main__":
    main()
