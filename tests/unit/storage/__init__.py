"""The storage engine: over a disk in memory that crashes, and over real files."""
