"""Many slides: each one's state recorded, results added up in a folder with a page."""

from lowpower.scoring.batch._folder_page import page_environment
from lowpower.scoring.batch._measure_files import measure_files
from lowpower.scoring.batch._reader_agreement import ReaderAgreement
from lowpower.scoring.batch._run_batch import Batch
from lowpower.scoring.batch._score_files import score_files

__all__ = [
    "Batch",
    "ReaderAgreement",
    "measure_files",
    "page_environment",
    "score_files",
]
