#!/usr/bin/env python3
"""Measures served systems side by side: time to first token and tokens per second.

    bench/serve.py --model M.gguf --patch out/demo/refuse --stack one=refuse
    bench/serve.py --model M.gguf --llama-server PATH --prompt-tokens 64,1500

`bench/llama_server` builds the llama-server of the llama.cpp that llmpatch is built on. It is
measured with a unified and with a split KV cache; both have room for a whole context in every slot.

Every round measures every system once, in an order that turns with the rounds, so that what else the
machine does falls on all of them alike. A ratio is the median over rounds of the ratios within a
round, to the first system. Prompts are random words, other ones for every request, so that nothing
is found in a cache but a chat template's opening; answers are greedy and of equal length (the end of
text is biased away).
"""

import argparse
import http.client
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

WORDS = ("river stone garden window paper music bridge yellow winter teacher market silver ocean "
         "letter engine forest candle mirror planet shadow corner basket pillow thunder ribbon "
         "harbor meadow cotton ladder velvet copper island").split()
LLAMA_SERVER = "llama-server, "
STARTING = 120  # seconds a server may take to answer


@dataclass
class System:
    """A way of serving: which port, and what its requests say beside the prompt."""
    name: str
    port: int
    extra: dict


@dataclass
class Measured:
    """One system, one round, one number of clients."""
    first_token: list = field(default_factory=list)  # seconds, one a request
    tokens: int = 0
    seconds: float = 0.0

    def tokens_per_second(self):
        return self.tokens / self.seconds

    def median_first_token(self):
        return statistics.median(self.first_token)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(port, process):
    limit = time.monotonic() + STARTING
    while time.monotonic() < limit:
        if process.poll() is not None:
            sys.exit(f"bench: the server ended with {process.returncode}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit(f"bench: no answer from port {port} within {STARTING} s")


def start_llmpatch(options, layout):
    port = free_port()
    command = [options.llmpatch, "serve", "--model", options.model, "--port", str(port),
               "--allow-unpatched", "--allow-unsigned", "--max-concurrent", str(options.slots),
               "--context", str(options.context), "--cache-layout", layout]
    for patch in options.patch:
        command += ["--patch", patch]
    if options.threads:
        command += ["--threads", str(options.threads)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_until_ready(port, process)
    return port, process


def start_llama_server(options, unified):
    port = free_port()
    command = [options.llama_server, "--model", options.model, "--port", str(port),
               "--parallel", str(options.slots), "--flash-attn", "on", "--jinja",
               "--ctx-size", str(options.context * options.slots),
               "--kv-unified" if unified else "--no-kv-unified"]
    if options.threads:
        command += ["--threads", str(options.threads)]
    environment = dict(os.environ)
    if options.llama_libraries:
        environment["LD_LIBRARY_PATH"] = options.llama_libraries
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    wait_until_ready(port, process)
    return port, process


def ask(system, model, prompt, options, measured, lock):
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": True,
            "stream_options": {"include_usage": True}, "temperature": 0,
            "max_tokens": options.tokens,
            "logit_bias": {token: -100 for token in options.end_tokens.split(",")}, **system.extra}
    connection = http.client.HTTPConnection("127.0.0.1", system.port, timeout=600)
    start = time.monotonic()
    connection.request("POST", "/v1/chat/completions", json.dumps(body),
                       {"Content-Type": "application/json"})
    response = connection.getresponse()
    if response.status != 200:
        sys.exit(f"bench: {system.name}: {response.status} {response.read().decode()[:300]}")
    first, rest = None, b""
    for line in response:
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line[6:])
        if any(choice.get("delta", {}).get("content") for choice in event.get("choices", [])):
            first = time.monotonic() - start
            break
    rest = response.read()  # reading every event would take time from the server
    connection.close()
    usage = [json.loads(line[6:]).get("usage") for line in rest.split(b"\n")[-8:]
             if line.startswith(b"data: {")]
    counts = [each["completion_tokens"] for each in usage if each]
    if first is None or not counts:
        sys.exit(f"bench: {system.name}: an answer without text or usage: {rest[-300:]}")
    with lock:
        measured.first_token.append(first)
        measured.tokens += counts[-1]


def words_of(generator, tokens):
    return " ".join(generator.choice(WORDS) for _ in range(tokens))


def run_clients(system, model, clients, prompt_tokens, options, seed):
    """`clients` threads that each send --requests requests, one after another."""
    measured = Measured()
    lock = threading.Lock()

    def client(number):
        generator = random.Random(f"{seed}/{number}")
        for _ in range(options.requests):
            ask(system, model, words_of(generator, prompt_tokens), options, measured, lock)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    measured.seconds = time.monotonic() - start
    return measured


def spread(values):
    return f"{statistics.median(values):.3f} [{min(values):.3f}, {max(values):.3f}]"


def parse_stack(text):
    """NAME=patch+patch[:parallel] to (NAME, request fields)."""
    name, _, stack = text.partition("=")
    patches, _, compose = stack.partition(":")
    extra = {"patches": [part for part in patches.split("+") if part]}
    if compose:
        extra["compose"] = compose
    return name, extra


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--llmpatch", default="build/bin/llmpatch")
    parser.add_argument("--model", required=True)
    parser.add_argument("--patch", action="append", default=[], help="a patch directory; repeatable")
    parser.add_argument("--stack", action="append", default=[], metavar="NAME=P+Q[:parallel]",
                        help="a stack to measure beside the model alone; repeatable")
    parser.add_argument("--llama-server", help="measure this program too, without patches")
    parser.add_argument("--llama-libraries", help="folder of libllama and libggml it shall load")
    parser.add_argument("--clients", default="1,8,32")
    parser.add_argument("--prompt-tokens", default="64", help="about so many, in words")
    parser.add_argument("--tokens", type=int, default=64, help="of every answer")
    parser.add_argument("--requests", type=int, default=2, help="of every client in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--slots", type=int, default=32, help="requests decoded at a time")
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--end-tokens", default="0,2", help="ids that end an answer")
    parser.add_argument("--layouts", default="auto", help="of llmpatch's cache: split, unified, auto")
    parser.add_argument("-o", "--output", help="write every measurement there as JSON")
    return parser.parse_args(arguments)


def main(arguments):
    options = parse(arguments)
    model = re.sub(r"\.gguf$", "", options.model.rsplit("/", 1)[-1])
    processes = []
    try:
        systems = []
        for layout in options.layouts.split(","):
            port, process = start_llmpatch(options, layout)
            processes.append(process)
            mark = "" if "," not in options.layouts else f", {layout}"
            systems.append(System(f"llmpatch, no patch{mark}", port, {"patches": []}))
            for text in options.stack:
                name, extra = parse_stack(text)
                systems.append(System(name + mark, port, extra))
        if options.llama_server:
            for unified in (True, False):
                port, process = start_llama_server(options, unified)
                processes.append(process)
                systems.append(System(LLAMA_SERVER + ("unified" if unified else "split"), port,
                                      {"cache_prompt": True}))
        report(measure(systems, model, options), systems, options)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def measure(systems, model, options):
    """{(prompt tokens, clients): [{system name: Measured} of each round]}"""
    results = {}
    for prompt_tokens in map(int, options.prompt_tokens.split(",")):
        for clients in map(int, options.clients.split(",")):
            rounds = results.setdefault((prompt_tokens, clients), [])
            for number in range(options.rounds + 1):
                turn = systems[number % len(systems):] + systems[:number % len(systems)]
                found = {}
                for system in turn:
                    seed = f"{number}/{system.name}/{clients}/{prompt_tokens}"
                    found[system.name] = run_clients(system, model, clients, prompt_tokens, options,
                                                     seed)
                if number > 0:  # the first round warms up
                    rounds.append(found)
                print(f"{prompt_tokens} words, {clients} clients: round {number} of "
                      f"{options.rounds}", file=sys.stderr)
    return results


def row_of(prompt_tokens, clients, name, speed, first, base):
    """A system's measurements of every round, and its ratios to those of `base`, if there is one."""
    row = {"prompt": prompt_tokens, "clients": clients, "system": name,
           "tokens_per_second": speed, "first_token_seconds": first}
    line = (f"{prompt_tokens:5} words {clients:3} clients  {name:28} "
            f"{statistics.median(speed):8.1f} tokens/s  first "
            f"{1000 * statistics.median(first):8.1f} ms")
    if base is not None:
        row["speed_ratio"] = [a / b for a, b in zip(base["tokens_per_second"], speed)]
        row["first_ratio"] = [a / b for a, b in zip(first, base["first_token_seconds"])]
        line += (f"   {base['system']} / it: speed {spread(row['speed_ratio'])}, it / "
                 f"{base['system']}: first token {spread(row['first_ratio'])}")
    print(line)
    return row


def report(results, systems, options):
    rows = []
    for (prompt_tokens, clients), rounds in results.items():
        base = None
        found = {}
        for system in systems:
            speed = [each[system.name].tokens_per_second() for each in rounds]
            first = [each[system.name].median_first_token() for each in rounds]
            row = row_of(prompt_tokens, clients, system.name, speed, first, base)
            base = base or row
            rows.append(row)
            if system.name.startswith(LLAMA_SERVER):
                found[system.name] = (speed, first)
        if found:
            # The better of both in each round and measure: a mark that none of them may reach.
            speeds, firsts = zip(*found.values())
            rows.append(row_of(prompt_tokens, clients, LLAMA_SERVER + "best of both",
                               [max(each) for each in zip(*speeds)],
                               [min(each) for each in zip(*firsts)], base))
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            json.dump({"options": vars(options), "rows": rows}, file, indent=1)
            file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1:])
