"""Kills `learn` with SIGKILL at each of its stages."""

import signal
import time


def kill_at_stages(test, stages, output, arguments):
    """Runs the program once for each file in `stages`, killed as soon as that file is in the run
    directory `output`.run; how many of these runs had not ended before. What a killed run would have
    written is not there."""
    kills = 0
    for stage in stages:
        process = test.start_program(*arguments)
        waited_for = test.dir / f"{output}.run" / stage
        while process.poll() is None and not waited_for.exists():
            time.sleep(0.002)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
        test.assertFalse((test.dir / output).exists() and process.returncode != 0,
                         f"{output} was written by a run that was killed")
    return kills
