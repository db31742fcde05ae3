"""What `lowpower serve` is told: by options, by environment variables, by a file; in that order."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lowpower.bundles import bundled_models
from lowpower.errors import ConfigError, OptionError
from lowpower.files import read_yaml
from lowpower.graphs import check_precision
from lowpower.serve.department._roles import Role

__all__ = ["SQLITE_FILE", "Settings", "below", "named_models", "read_settings"]

SQLITE_FILE: Final = "lowpower.db"
"""The database in the data folder, where no other is named."""

_PREFIX: Final = "LOWPOWER_SERVE_"
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_GB: Final = 1_000_000_000


class Settings(BaseModel):
    """Every setting and its default; an environment variable is LOWPOWER_SERVE_ and the name in capitals."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: Path = Field(description="Folder for slides, results and, by default, the database.")
    database: str | None = Field(
        None, description="postgresql://user:password@host/name; SQLite in the data folder if not given."
    )
    host: str = Field("127.0.0.1", description="Address to listen on; beyond this machine only with TLS.")
    port: int = Field(8080, ge=0, le=65535, description="Port; 0: a free one.")
    address: str | None = Field(
        None, description="How browsers reach it, for instance https://lowpower.example; for links."
    )
    tls_certificate: Path | None = Field(None, description="PEM file of the certificate chain.")
    tls_key: Path | None = Field(None, description="PEM file of its key.")
    behind_proxy: bool = Field(
        False, description="A proxy in front speaks TLS and sets X-Forwarded-For and X-Forwarded-Proto."
    )
    name: str = Field("lowpower", max_length=100, description="What the page calls the department.")
    roots: tuple[Path, ...] = Field((), description="Folders from which slides may be registered by path.")
    stained_by: str = Field(
        "",
        description="FOLDER=NAME, ...: laboratory of slides registered below a folder; * is of all others.",
    )
    study_roots: tuple[Path, ...] = Field(
        (), description="Folders whose study configurations may be run as jobs; none: no studies here."
    )
    study_hours: float = Field(24.0, gt=0, description="Time a study may take in one go.")
    model: str = Field("her2-sim", description="Model bundle that scores where a job names none.")
    models: tuple[str, ...] = Field(
        (), description="Further bundles, for other markers, or named by a job; no other is loaded."
    )
    laboratory: Path | None = Field(None, description="Cut-offs that `lowpower calibrate` wrote.")
    measure: bool = Field(True, description="Whether the stain is measured beside the network's answer.")
    effort: Literal["full", "guided"] = Field(
        "full", description="Measuring reads all fields, or as many as settle the score."
    )
    precision: Literal["exact", "fast"] = Field(
        "exact", description="Networks in 32 bits, or by OpenVINO in bfloat16 (extra openvino)."
    )
    blind: bool = Field(False, description="Keep each answer back until the reader has scored the slide.")
    readers: Literal[1, 2] = Field(
        1, description="Readers a slide needs; with 2, where they differ a third one decides."
    )
    upload_gb: float = Field(20.0, gt=0, description="Largest slide that may be uploaded, GB.")
    chunk_mb: float = Field(8.0, ge=0.001, le=64, description="Largest piece of an upload, MB.")
    keep_free_gb: float = Field(5.0, ge=0, description="Uploads are refused where less than this stays free.")
    workers: int = Field(1, ge=0, le=64, description="Slides scored at once by this process; 0: none.")
    job_minutes: float = Field(60.0, gt=0, description="Time a slide may take.")
    job_memory_gb: float = Field(8.0, gt=0, description="Memory that scoring a slide may take.")
    job_attempts: int = Field(3, ge=1, le=10, description="Starts of a job, where a worker dies under it.")
    lost_after_s: float = Field(30.0, ge=1, description="Silence after which a worker counts as lost.")
    session_hours: float = Field(12.0, gt=0, le=720, description="How long a browser stays signed in.")
    link_hours: float = Field(72.0, gt=0, le=720, description="How long a one-time link can be used.")
    keep_days: int | None = Field(
        None,
        ge=1,
        description="Retention: slides and pictures older than this go with `lowpower serve purge`.",
    )
    oidc_issuer: str | None = Field(
        None, description="OpenID Connect provider that people may sign in at; https, or this machine."
    )
    oidc_client: str = Field("lowpower", description="Name of this service at the provider.")
    oidc_secret: str | None = Field(None, description="Its secret there; better by environment variable.")
    oidc_name: str = Field("single sign-on", max_length=60, description="What the page calls the provider.")
    oidc_claim: str = Field("groups", description="Claim that holds a person's groups.")
    oidc_roles: str = Field(
        "", description="GROUP=ROLE, ...: which groups come in as what; * is everybody. Others are refused."
    )
    telemetry: str | None = Field(
        None, description="OpenTelemetry collector (OTLP over HTTP) that spans go to: http://HOST:4318."
    )
    dicomweb: str | None = Field(None, description="Address of a DICOMweb server (QIDO, WADO, STOW).")
    dicomweb_user: str | None = Field(None, description="Its user, where it asks for one.")
    dicomweb_password: str | None = Field(None, description="Its password; better by environment variable.")
    fhir: str | None = Field(None, description="Address of a FHIR R4 server that DiagnosticReports go to.")
    fhir_token: str | None = Field(None, description="Its bearer token; better by environment variable.")

    @property
    def oidc_role_of(self) -> dict[str, Role]:
        """The role of each group of the provider."""
        pairs = (one.rpartition("=") for one in self.oidc_roles.split(",") if one.strip())
        return {group.strip(): Role(role.strip()) for group, _, role in pairs}

    def laboratory_of(self, slide: Path | None) -> str | None:
        """Which one stained a slide of which that was not said, by the nearest folder around it.

        Args:
            slide: Of a registered one its place; None of what was sent.
        """
        names = {Path(folder).resolve(): name for folder, name in self._stained_by() if folder != "*"}
        around = [folder for folder in names if slide is not None and slide.is_relative_to(folder)]
        if around:
            return names[max(around, key=lambda folder: len(folder.parts))]
        return dict(self._stained_by()).get("*")

    def _stained_by(self) -> list[tuple[str, str]]:
        pairs = (one.rpartition("=") for one in self.stained_by.split(",") if one.strip())
        return [(folder.strip(), name.strip()) for folder, _, name in pairs]

    @property
    def most_bytes(self) -> int:
        """Largest upload."""
        return int(self.upload_gb * _GB)

    @property
    def chunk_bytes(self) -> int:
        """Largest piece of an upload."""
        return int(self.chunk_mb * 1_000_000)

    @property
    def keep_free_bytes(self) -> int:
        """What must stay free on the disk."""
        return int(self.keep_free_gb * _GB)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self.host in _LOOPBACK

    @property
    def is_secure(self) -> bool:
        """Whether browsers come by https."""
        return self.tls_certificate is not None or self.behind_proxy

    def check(self) -> None:
        """Say what does not go together.

        Raises:
            ConfigError: it would be open to the network without encryption, or a file is missing.
        """
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ConfigError("TLS needs both tls_certificate and tls_key; give the one that is missing.")
        for file in (self.tls_certificate, self.tls_key, self.laboratory):
            if file is not None and not file.is_file():
                raise ConfigError(f"{file}: no such file; correct the setting that names it.")
        for name in ("roots", "study_roots"):
            for root in getattr(self, name):
                if not root.is_dir():
                    raise ConfigError(f"{root}: no such folder; correct the setting {name}.")
        for folder, name in self._stained_by():
            if not folder or not 0 < len(name) <= 60 or (folder != "*" and not Path(folder).is_dir()):
                raise ConfigError(
                    "stained_by: write FOLDER=NAME, ... (folders that are there, short names) or *=NAME."
                )
        self._check_precision()
        self._check_oidc()
        if not self.is_loopback and not self.is_secure:
            raise ConfigError(
                f"Listening on {self.host} without TLS would send passwords in the clear; give "
                "tls_certificate and tls_key, or set behind_proxy where a proxy in front speaks TLS."
            )

    def _check_precision(self) -> None:
        try:
            check_precision(self.precision)
        except OptionError as error:
            raise ConfigError(f"Setting precision: {error}") from None

    def _check_oidc(self) -> None:
        if self.oidc_issuer is None:
            return
        issuer = urlsplit(self.oidc_issuer)
        if issuer.scheme != "https" and not (issuer.scheme == "http" and issuer.hostname in _LOOPBACK):
            raise ConfigError("oidc_issuer: must be https://..., or secrets would be sent in the clear.")
        try:
            roles = set(self.oidc_role_of.values())
        except ValueError:
            raise ConfigError(
                "oidc_roles: write GROUP=ROLE, ...; roles are admin, operator and reader."
            ) from None
        if not roles or Role.SERVICE in roles:
            raise ConfigError("oidc_roles: name who comes in as admin, operator or reader: GROUP=ROLE, ...")


def read_settings(
    file: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
    **given: Any,
) -> Settings:
    """Settings from options, then the environment, then a YAML file, then the defaults.

    Args:
        file: A YAML file with names of settings and values.
        environment: Variables; this process's if None.
        **given: Options; those that are None are not given.

    Raises:
        ConfigError: a name is unknown, a value is wrong, or no data folder is named.
    """
    told: dict[str, Any] = dict(read_yaml(file)) if file is not None else {}
    told |= _from_environment(os.environ if environment is None else environment)
    told |= {name: value for name, value in given.items() if value is not None}
    if "data" not in told:
        raise OptionError("name a folder for slides and results: lowpower serve --data FOLDER.")
    try:
        settings = Settings.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        said = "no such setting" if first["type"] == "extra_forbidden" else first["msg"]
        raise ConfigError(f"Setting {name}: {said}; docs/serve.md lists them all.") from error
    roots = {name: tuple(map(Path.resolve, getattr(settings, name))) for name in ("roots", "study_roots")}
    settings = settings.model_copy(update={"data": settings.data.absolute(), **roots})
    settings.check()
    return settings


def _from_environment(variables: Mapping[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for variable, value in variables.items():
        name = variable.removeprefix(_PREFIX).lower()
        if variable.startswith(_PREFIX) and name in Settings.model_fields and value:
            apart = {"roots": os.pathsep, "study_roots": os.pathsep, "models": ","}.get(name)
            told[name] = value if apart is None else value.split(apart)
    return told


def below(roots: tuple[Path, ...], given: str) -> Path | None:
    """Where a path leads to, by all links on the way; None where it is not there, or not below a root."""
    try:
        path = Path(given).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None
    return path if any(path.is_relative_to(root) for root in roots) else None


def named_models(settings: Settings) -> dict[str, Path]:
    """Bundles that may be named to the service, and where they lie; names alone of those at the hub."""
    return {name: Path(name) for name in (settings.model, *settings.models)} | bundled_models()
