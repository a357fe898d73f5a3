"""A diagnostics bundle: files by name, cleaned of what may be secret, in one tar.gz.

Decides: the form of the files. Must not know: where they come from.
Read next: redact.py, diagnostics.py.
"""

import io
import json
import tarfile
from typing import Any, Final

from replog_operator.plugin.redact import Redactor, without_credentials

README: Final = """\
What kubectl rlog diagnostics read of one log; docs/cli.md of the replicated log tells more.
Left out: records, Secrets, values of environment variables, annotations of others, commands of
containers that are not the log's, and whatever looks like a credential. not-read.json names what
could not be read, and why. Names, addresses and sizes are in here: look before you pass it on.
"""


class Bundle:
    """Files that are added one by one. missing: what could not be read, and why, by name."""

    def __init__(self) -> None:
        self._redactor = Redactor()
        self._files: dict[str, str] = {"README.txt": README}
        self.missing: dict[str, str] = {}

    def object(self, name: str, found: Any) -> None:
        """JSON."""
        cleaned = self._redactor.object(found)
        self._files[name] = json.dumps(cleaned, indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    def text(self, name: str, found: bytes) -> None:
        """Text as it came: a log, metrics."""
        self._files[name] = without_credentials(found.decode(errors="replace"))

    def files(self) -> dict[str, str]:
        """All of them, cleaned; also of values that an object that was added later left out."""
        missing = json.dumps(self.missing, indent=1, ensure_ascii=False) + "\n"
        whole = {**self._files, "not-read.json": missing}
        return {name: self._redactor.cleaned(text) for name, text in sorted(whole.items())}

    def packed(self, folder: str, now_s: float) -> bytes:
        """The tar.gz; all files lie in one folder."""
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w:gz") as archive:
            for name, text in self.files().items():
                data = text.encode()
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size, entry.mtime, entry.mode = len(data), int(now_s), 0o600
                archive.addfile(entry, io.BytesIO(data))
        return target.getvalue()
