"""`lowpower serve`: the page, the interface, jobs, rights and audit log of a department.

Needs the packages of `lowpower[serve]`.
"""

from lowpower.serve.department._app import Department, department_app
from lowpower.serve.department._audit import AuditVerdict, verify_audit
from lowpower.serve.department._database import Database
from lowpower.serve.department._run import DepartmentServer, admin_link, log_as_json, run_worker
from lowpower.serve.department._settings import Settings, read_settings

__all__ = [
    "AuditVerdict",
    "Database",
    "Department",
    "DepartmentServer",
    "Settings",
    "admin_link",
    "department_app",
    "log_as_json",
    "read_settings",
    "run_worker",
    "verify_audit",
]
