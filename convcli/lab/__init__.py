"""The lab: a local server, and the page behind which one plays with convolution. An extra; only `cli/lab.py` calls it.

Whatever the page shows is made by the jobs that commands call, so it cannot say anything else than they do. What lives
here is the server (who may ask, how much, in which turn) and how a room's words become a job's; no arithmetic.
"""
