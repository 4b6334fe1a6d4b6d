"""The version of this package: that of the C header (include/multipoint.h) which it was written against."""

__version__ = "0.1.0"
