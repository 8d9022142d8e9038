"""Ways to spread the runs of a grid over processes.

command.py is `trainer run`: local.py hands out the runs, pool.py keeps the processes alive, worker.py trains in them,
lease.py keeps two schedulers from the same run, logs.py keeps what workers print.
"""
