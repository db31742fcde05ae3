"""The interface beside the page's own: who gets through, and what is answered."""

from lowpower.serve.department.routes._gate import Gate, secret_of
from lowpower.serve.department.routes._routes_accounts import accounts_api
from lowpower.serve.department.routes._routes_exchange import exchange_api
from lowpower.serve.department.routes._routes_jobs import jobs_api
from lowpower.serve.department.routes._routes_oidc import oidc_api
from lowpower.serve.department.routes._routes_slides import slides_api

__all__ = ["Gate", "accounts_api", "exchange_api", "jobs_api", "oidc_api", "secret_of", "slides_api"]
