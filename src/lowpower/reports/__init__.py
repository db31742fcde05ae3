"""Every page, figure and table that a person opens, of runs, studies and tables of predictions."""

from lowpower.reports._answer_words import Elsewhere, answer_sentences, elsewhere_sentence
from lowpower.reports._compare_page import compare_tables
from lowpower.reports._page_parts import METRIC_NAMES, say
from lowpower.reports._plots import plot_confusion, plot_reliability, plot_risk_coverage, plot_roc
from lowpower.reports._run_page import Example, write_run_report
from lowpower.reports._study_page import write_study_report
from lowpower.reports._table_cells import p_sentence
from lowpower.reports._table_page import evaluate_table

__all__ = [
    "METRIC_NAMES",
    "Elsewhere",
    "Example",
    "answer_sentences",
    "compare_tables",
    "elsewhere_sentence",
    "evaluate_table",
    "p_sentence",
    "plot_confusion",
    "plot_reliability",
    "plot_risk_coverage",
    "plot_roc",
    "say",
    "write_run_report",
    "write_study_report",
]
