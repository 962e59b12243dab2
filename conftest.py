"""What pytest leaves out: modules of optional extras that are not installed here."""

import importlib.util

collect_ignore = [] if importlib.util.find_spec("torch") else ["lrlab/bench/torch_ways.py"]
