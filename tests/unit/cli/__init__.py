"""The command line: bytes in and out, exit codes, what people and programs are told."""
