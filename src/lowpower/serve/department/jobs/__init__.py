"""Jobs: their book, the worker that takes them, and the child process that scores."""

from lowpower.serve.department.jobs._job_asked import JobAsked
from lowpower.serve.department.jobs._job_book import Jobs
from lowpower.serve.department.jobs._study_job import STUDY_FILES
from lowpower.serve.department.jobs._worker import ScoringWorker

__all__ = ["STUDY_FILES", "JobAsked", "Jobs", "ScoringWorker"]
