"""The version of the package."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("sluice_workflows")
except PackageNotFoundError:  # a checkout on the path
    VERSION = "0.0.0"
