"""`lowpower serve`: the page, the interface, jobs, rights and audit log of a department.

Needs the packages of `lowpower[serve]`.
"""

from lowpower.serve.department._backup import BackedUp, back_up, restore
from lowpower.serve.department._department import Department, department_app
from lowpower.serve.department._retention import Purged, purge
from lowpower.serve.department._run import DepartmentServer, admin_link, log_as_json, run_worker
from lowpower.serve.department._settings import SQLITE_FILE, Settings, read_settings
from lowpower.serve.department.exchange import reviewed_department
from lowpower.serve.department.records import AuditVerdict, Database, verify_audit

__all__ = [
    "SQLITE_FILE",
    "AuditVerdict",
    "BackedUp",
    "Database",
    "Department",
    "DepartmentServer",
    "Purged",
    "Settings",
    "admin_link",
    "back_up",
    "department_app",
    "log_as_json",
    "purge",
    "read_settings",
    "restore",
    "reviewed_department",
    "run_worker",
    "verify_audit",
]
