"""Drain3 on the lines of a file: prints how many a second, on one thread, with its defaults."""
import sys
import time

from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig

with open(sys.argv[1], encoding="utf-8", errors="replace") as file:
    lines = file.read().splitlines()
miner = TemplateMiner(config=TemplateMinerConfig())
begun = time.perf_counter()
for line in lines:
    miner.add_log_message(line)
print(len(lines) / (time.perf_counter() - begun))
