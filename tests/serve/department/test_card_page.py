"""A model's card as the page shows it: Markdown, and nothing of it as markup of its own."""

from __future__ import annotations

import json

import pytest

from ..conftest import no_offence
from .conftest import browser_of, finish, page_of, upload
from .test_said_page import shot

CARD = """---
license: apache-2.0
---
# ours

First line
of a **paragraph** with `code`, a [link](https://example.org/paper) and a [trap](javascript:alert(1)).

## What is known

- one
- two,
  on a second line

1. first

| | |
|---|---|
| version | 1 \\| 2 |

| metric | value |
|---|---|
| kappa | 0.7 |

```
plain **text**
```

<img src=x onerror="document.title='got in'"><script>document.title = "got in"</script>
"""


def test_the_card_of_a_bundle_is_found_by_the_name_that_results_say(open_with, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bundle.json").write_text(json.dumps({"name": f"ours-{name}"}))
        (tmp_path / name / "README.md").write_text(f"# {name}")
    admin = browser_of(open_with(models=(str(tmp_path / "gone"), str(tmp_path / "a"), str(tmp_path / "b"))))
    assert admin.get("/v1/models/ours-b/card").text == "# b"
    assert admin.get("/v1/models/her2-sim/card").status_code == 200
    assert admin.get("/v1/models/none/card").status_code == 404


def test_a_card_is_shown_as_headings_lists_and_tables(department, browser, slide_file):
    expect = pytest.importorskip("playwright.sync_api").expect
    admin = browser_of(department)
    upload(admin, slide_file)
    model = {"name": "ours", "version": "1", "sha256": "0" * 64, "trained_on": "nothing"}
    finish(department, admin.get("/v1/jobs").json()[0]["id"], model=model)
    with page_of(department, browser) as page:
        page.route("**/v1/models/ours/card", lambda route: route.fulfill(body=CARD))
        page.get_by_role("button", name="Model card").click()
        card = page.get_by_role("dialog").get_by_role("region", name="Card")
        expect(card.get_by_role("heading", name="ours")).to_be_visible()
        assert card.locator("h2, h3").all_inner_texts() == ["ours", "What is known"]
        assert card.locator("p").first.inner_text() == (
            "First line of a paragraph with code, a link and a [trap](javascript:alert(1))."
        )
        assert card.locator("p strong").inner_text() == "paragraph"
        assert card.locator("a").evaluate_all("(all) => all.map((one) => one.href)") == [
            "https://example.org/paper"
        ]
        assert card.locator("ul li").all_inner_texts() == ["one", "two, on a second line"]
        assert card.locator("ol li").all_inner_texts() == ["first"]
        assert card.locator("tr").all_inner_texts() == ["version\t1 | 2", "metric\tvalue", "kappa\t0.7"]
        assert card.locator("pre").inner_text() == "plain **text**"
        assert card.locator("img, script").count() == 0
        assert "license" not in card.inner_text()
        no_offence(page)
        shot(page, "card")
        assert "got in" not in page.title()
