"""Real processes, real disks, real sockets. Read next: ../support/processes.py."""
