"""How many programs run at a time, where nobody says."""

import os


def default_jobs() -> int:
    """Give one more than there are processors, two more where these are more than two.

    Between the end of a program and the start of the next, and while one waits for the disk,
    another can use its processor; ninja counts likewise.
    """
    processors = len(os.sched_getaffinity(0))
    return processors + (1 if processors <= 2 else 2)
