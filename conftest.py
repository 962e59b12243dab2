"""What pytest leaves out (modules of optional extras that are not installed here), and a device
per core whatever test uses JAX first."""

import importlib.util

import lrlab

collect_ignore = [] if importlib.util.find_spec("torch") else ["lrlab/bench/torch_ways.py"]

lrlab.prepare()
