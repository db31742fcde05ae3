"""What a user named, looked at before the libraries load that the work needs: a typing error ends at once."""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lowpower.errors import BundleError, OptionError, address_of, one_line
from lowpower.files import meant, read_yaml
from lowpower.storage import from_folder, is_there, missing

if TYPE_CHECKING:
    from lowpower.cohort import Cohort
    from lowpower.experiments import Experiment

__all__ = [
    "configuration_there",
    "folds_there",
    "labels_there",
    "model_there",
    "run_there",
    "some_there",
    "study_there",
    "there",
]

_RUN, _STUDY = "config.json", "study.json"
_TABLES = (".csv", ".tsv", ".xlsx", ".parquet")


def there(path: Path, cure: str, *, stored: bool = False) -> None:
    """Refuse a file or folder that is not there.

    Args:
        path: What a user named.
        cure: What to do, where no name is near.
        stored: It may lie in storage.

    Raises:
        OptionError: it is not there; the sentence ends with the name that was perhaps meant, or the cure.
        StorageError: the storage cannot be asked.
    """
    address = address_of(path)
    if address is not None:
        if not stored:
            raise OptionError(f"{address}: is read from a folder of this machine alone; copy it here first.")
        if not is_there(path):
            raise OptionError(f"{address}: {missing(address)}")
        return
    if os.path.lexists(path):
        return
    raise OptionError(f"{one_line(path)}: does not exist; {meant(path) or cure}")


def some_there(given: Sequence[str], cure: str) -> None:
    """Refuse names and patterns of which none leads to anything."""
    if not any(os.path.lexists(one) or glob.has_magic(one) for one in given):
        there(Path(given[0]), cure)


def configuration_there(path: Path, cure: str) -> Experiment:
    """A configuration by its keys; refused where it is mistyped, or names a cohort that is not there.

    Raises:
        OptionError: the file or its cohort is not there.
        ConfigError: it is no YAML, or has a wrong key or value.
    """
    from lowpower.experiments import read_keys

    there(path, cure)
    if path.suffix.lower() in _TABLES:
        told = f"{one_line(path)}: is a table, and this takes a configuration (YAML) that names it"
        raise OptionError(f"{told}; {cure}")
    named = read_yaml(path).get("cohort")
    cohort = from_folder(path.parent, named) if isinstance(named, str) and named else None
    if cohort is not None and not is_there(cohort):
        cure = "paths start at the configuration's folder, and `lowpower init SLIDES` writes a cohort.csv."
        told = f"{one_line(path)}: its cohort {one_line(cohort)} does not exist"
        raise OptionError(f"{told}; {meant(cohort) or cure}")
    return read_keys(path)


def labels_there(path: Path, known: Experiment) -> Cohort:
    """The cohort of a configuration; refused if nothing can be learnt from it: empty cells, another marker.

    Raises:
        CohortError: naming the table and what is wrong with it.
    """
    from lowpower.cohort import read_cohort

    cohort = read_cohort(from_folder(path.parent, str(known.cohort)), ish_unknown=known.ish_unknown)
    cohort.labels(known.scheme)
    return cohort


def folds_there(path: Path, known: Experiment) -> None:
    """Refuse a configuration whose cohort cannot be learnt from, or has too few patients for its folds.

    Raises:
        CohortError: naming the table and what is wrong with it.
    """
    from lowpower.experiments.plan import planned_folds, wanted_folds

    cohort = labels_there(path, known)
    if known.folds.file is None:  # that file is read where its path is known
        wanted_folds(known, planned_folds(known, cohort))


def run_there(folder: Path) -> None:
    """Refuse a folder that holds no run of `train`, of this version or an earlier one."""
    if not any((folder / name).is_file() for name in (_STUDY, _RUN)):
        told = f"{one_line(folder)}: is not a finished run ({_STUDY} is missing)"
        raise OptionError(f"{told}; name the folder that `lowpower train` made.")


def study_there(folder: Path) -> None:
    """Refuse what is no study's folder."""
    cure = "name the folder that `lowpower study` wrote."
    there(folder, cure)
    if not (folder / _STUDY).is_file():
        raise OptionError(f"{one_line(folder)}: is no study's folder ({_STUDY} is missing); {cure}")


def model_there(name: str) -> None:
    """Refuse a model's name or folder that is none; what lies at the hub is fetched when it is used.

    Raises:
        OptionError: there is no such model.
    """
    from lowpower.bundles import HUB, find_bundle

    if name.startswith(HUB):
        return
    try:
        find_bundle(name)
    except BundleError as error:
        raise OptionError(str(error)) from None
