"""Training beyond one process: lanes are dealt in pieces to workers, which Ray starts and watches.

`driver.train` is `engine.train` with the same arguments and the same numbers: it deals `pieces`
(some lanes, from one update to another) to a pool and puts together what comes back. `ray_pool` is
the pool of a Ray cluster, `inline` one in this process, which continues on one machine what several
had begun. `packing` is what travels.
"""
