"""The local page: runs, groups and comparisons of a folder in a browser, live. It reads and never
writes.

`server.serve` answers on loopback unless another host is given. Figures, tables and sentences are
those of `lrlab.report`; this package adds the list of runs, what changes when, and who may ask. It
needs starlette and uvicorn, the extra `ui`; nothing here imports jax.
"""
