"""The core alone, and small clusters of cores over a network in memory."""
