"""`replog up`: the file, the next step, processes that die, and one whole run of real nodes."""
