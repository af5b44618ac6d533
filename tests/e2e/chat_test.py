"""chat, driven through its standard input."""

import signal
import subprocess
import time

from program import MODEL, OTHER_MODEL, PROGRAM, ProgramTest, main


class Chat(ProgramTest):
    def chat(self, *lines, arguments=(), model=MODEL):
        return self.run_ok("chat", "--model", model, "--max-tokens", "16", "--allow-unsigned",
                           *arguments, stdin="".join(line + "\n" for line in lines))

    def answers(self, *lines, **options):
        return self.chat(*lines, **options).stdout.splitlines()

    def test_remembers_the_conversation_until_reset(self):
        question = "Tell me about the moon."
        told = self.answers("I like cheese a lot.", question, "/quit")
        reset = self.answers("I like cheese a lot.", "/reset", question, "/quit")
        alone = self.answers(question)
        self.assertEqual(reset[-1], alone[-1])
        self.assertNotEqual(told[-1], alone[-1])

    def test_switches_patches(self):
        patch = self.make_patch()
        question = "Tell me about the sea."
        # Exact: otherwise a near-tie may fall another way behind other cells of the cache.
        without = self.answers(question, arguments=["--kv", "f32"])
        behind = self.answers(question, arguments=["--kv", "f32", "--patch", patch])
        self.assertNotEqual(without, behind)
        outcome = self.chat("/patch tester off", question, "/reset", "/patch tester on", question,
                            "/patch", arguments=["--kv", "f32", "--patch", patch])
        self.assertEqual(outcome.stdout, "\n".join(without + behind) + "\n")
        self.assertEqual(outcome.stderr.splitlines()[-1], "tester on")

    def test_mistakes_do_not_end_it(self):
        outcome = self.chat("/patch nobody on", "/patch", "/dance", "Hello")
        self.assertIn("no patch is called 'nobody'", outcome.stderr)
        self.assertIn("no patch was given", outcome.stderr)
        self.assertIn("/patch NAME on|off", outcome.stderr)
        self.assertTrue(outcome.stdout.strip())

    def test_a_message_that_does_not_fit_is_forgotten(self):
        outcome = self.chat("many words " * 9000, "Hello")
        self.assertRegex(outcome.stderr, r"llmpatch: error: \[[^\]]+\] ")
        self.assertEqual(outcome.stdout.splitlines(), self.answers("Hello"))

    def test_completes_text_without_a_template(self):
        text = "The capital of France is"
        answers = self.answers(text, model=OTHER_MODEL)
        self.assertTrue(answers[0].strip())
        # Each line is completed by itself: raw text has no turns.
        self.assertEqual(self.answers("Once upon a time", text, model=OTHER_MODEL)[-1],
                         answers[-1])

    def test_ctrl_c(self):
        process = subprocess.Popen([PROGRAM, "chat", "--model", MODEL, "--max-tokens", "4000"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdin.write(b"Count from one to a thousand.\n")
        process.stdin.flush()
        self.assertTrue(process.stdout.read(1), "it streams")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130)

    def test_ctrl_c_while_it_waits_for_the_user(self):
        process = subprocess.Popen([PROGRAM, "chat", "--model", MODEL, "--max-tokens", "1"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        process.stdin.write(b"Hello\n")
        process.stdin.flush()
        process.stdout.readline()
        time.sleep(0.2)  # until it reads again; earlier is right too
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 130)
        process.communicate()


if __name__ == "__main__":
    main()
