"""What `lowpower view` stands on: a folder of results, and slides beside it that can be scored."""

from lowpower.serve.folder._folder_host import FolderHost
from lowpower.serve.folder._folder_jobs import folder_jobs_api
from lowpower.serve.folder._folder_scoring import FolderScoring

__all__ = ["FolderHost", "FolderScoring", "folder_jobs_api"]
