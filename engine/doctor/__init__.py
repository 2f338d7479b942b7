"""What this machine and installation can run, what is missing for the rest, and how to get it: `vidrt doctor`."""

from vidrt.engine.doctor.diagnose import diagnose
from vidrt.engine.doctor.report import SCHEMA_VERSION, Check, Finding, Report, Row, Status
from vidrt.engine.doctor.surroundings import Surroundings

__all__ = ["SCHEMA_VERSION", "Check", "Finding", "Report", "Row", "Status", "Surroundings", "diagnose"]
