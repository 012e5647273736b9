"""Somebody who has logged in, with their browser and their server."""

from dataclasses import dataclass

from .directory import Account
from .hub import Browser
from .notebook import NotebookServer


@dataclass(frozen=True)
class Person:
    account: Account
    browser: Browser
    token: str

    @classmethod
    def logged_in(cls, url: str, account: Account) -> "Person":
        browser = Browser(url)
        answer = browser.log_in(account.name, account.password)
        assert answer.ok, f"{account.name} could not log in: {answer.status_code}"
        return cls(account, browser, browser.token(account.name))

    @property
    def name(self) -> str:
        return self.account.name

    def server(self, name: str = "") -> NotebookServer:
        return NotebookServer(self.browser.url, self.name, self.token, name)
