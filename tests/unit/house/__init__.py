"""The house keeps its own rules: these tests read the sources, not what they do."""
