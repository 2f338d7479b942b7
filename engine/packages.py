"""Installed Python packages, looked at without importing them."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def package_folders(package: str) -> list[Path]:
    """The folders of a package, or none where it is not installed."""
    spec = importlib.util.find_spec(package)
    return [Path(folder) for folder in (spec.submodule_search_locations or ())] if spec is not None else []


def wheel_files(package: str, pattern: str) -> list[Path]:
    """Files in an installed package's folder."""
    return [path for folder in package_folders(package) for path in sorted(folder.glob(pattern))]
