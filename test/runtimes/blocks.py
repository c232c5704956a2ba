"""Blocks whose addresses are only integers of Python's, as every binding with ctypes keeps handles."""
import ctypes
import gc
import os

library = ctypes.CDLL(os.environ["BLOCKS"])
library.blocks_make.restype = ctypes.c_void_p

held = {i: library.blocks_make() for i in range(1000)}
print("kept", library.blocks_churn())

held.clear()
gc.collect()
others = list(range(2**40, 2**40 + 100000))  # in the place of the integers that were
print("left", library.blocks_churn())
