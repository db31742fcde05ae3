"""What a reader works with: the page over a folder of results, its HTTP interface, and reviews."""

from lowpower.serve._app import view_app
from lowpower.serve._client import ServiceClient, ServiceError
from lowpower.serve._notebook import View, view
from lowpower.serve._reviewed_cohort import ReviewedCohort, is_department, reviewed_cohort
from lowpower.serve._reviews import Review, ReviewBook, Verdict
from lowpower.serve._run_view import ViewServer
from lowpower.serve._shelf import Shelf

__all__ = [
    "Review",
    "ReviewBook",
    "ReviewedCohort",
    "ServiceClient",
    "ServiceError",
    "Shelf",
    "Verdict",
    "View",
    "ViewServer",
    "is_department",
    "reviewed_cohort",
    "view",
    "view_app",
]
