"""The version of modbuild itself."""

__version__ = "0.1.0"
