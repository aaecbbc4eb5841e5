"""For all tests: one thread each, as they run in several processes."""

import os

# Before PyTorch and BLAS are imported. Two processes with as many threads as cores each wait for one another.
os.environ.setdefault("OMP_NUM_THREADS", "1")
