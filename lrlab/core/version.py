"""The version of lrlab."""

VERSION = "0.1.0"
