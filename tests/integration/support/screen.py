"""A person at a real browser: Debian's Chromium, driven by Playwright."""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
_FLAGS = [
    "--no-sandbox",  # root in a container may not make one, and it shows our own pages only
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]
SECONDS = 90
"""For each thing to appear; a server's start is the longest."""


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        expect.set_options(timeout=SECONDS * 1000)
        yield browser
        browser.close()


@contextmanager
def window(browser: Browser) -> Iterator[Page]:
    """A window with no history, and a record of what happens in it."""
    # Keycloak's certificate is of the tests' own authority; that the Hub verifies it is tested without a browser.
    context = browser.new_context(
        viewport={"width": 1000, "height": 640}, locale="en-GB", timezone_id="UTC", ignore_https_errors=True
    )
    context.set_default_timeout(SECONDS * 1000)
    context.tracing.start(screenshots=True, snapshots=True)
    yield context.new_page()
    context.close()


def keep_evidence(page: Page, folder: Path, test: str) -> str:
    """Leave what the window shows, and how it came to that; says where."""
    file = folder / re.sub(r"\W+", "-", test).strip("-")
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=f"{file}.png")
    page.context.tracing.stop(path=f"{file}.zip")
    return f"a screenshot: {file}.png\nhow it came to that: playwright show-trace {file}.zip"


def take_picture(page: Page, file: Path) -> None:
    """A picture for the documentation, small enough to be kept with the source."""
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready.then(() => true)")
    page.screenshot(path=file, animations="disabled", caret="hide")
    subprocess.run(["pngquant", "--force", "--skip-if-larger", "--strip", "--output", file, "64", file], check=True)


# -- what a person does ----------------------------------------------------------------------


def log_in(page: Page, url: str, username: str, password: str) -> None:
    """By the Hub's own form."""
    page.goto(url)
    page.get_by_label("Username:").fill(username)
    page.get_by_label("Password:").fill(password)
    page.get_by_role("button", name="Sign in").click()


def see_jupyterlab(page: Page) -> None:
    expect(page.locator(".jp-Launcher-body").first).to_be_visible()


def run_in_notebook(page: Page, code: str, output: str) -> None:
    """A new notebook with one cell, which prints *output*."""
    page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
    cell = page.locator(".jp-Notebook .jp-Cell .cm-content").first
    expect(page.locator("#jp-main-statusbar")).to_contain_text("| Idle")
    cell.click()
    page.keyboard.insert_text(code)
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output").first).to_contain_text(output)


def run_in_terminal(page: Page, command: str) -> None:
    """A new terminal, and a line typed into it."""
    page.get_by_role("menuitem", name="File").click()
    page.locator(".lm-Menu-itemLabel", has_text=re.compile("^New$")).hover()
    page.locator(".lm-Menu-item[data-command='terminal:create-new']").click()
    terminal = page.locator(".jp-Terminal .xterm")
    expect(terminal).to_be_visible()
    terminal.click()
    page.keyboard.type(f"{command}\n")


def stop_server(page: Page, url: str) -> None:
    page.goto(f"{url}/hub/home")
    page.get_by_role("button", name="Stop My Server").click()
    expect(page.get_by_role("button", name="Start My Server")).to_be_visible()


def log_out(page: Page) -> None:
    page.get_by_role("button", name="Logout").click()
