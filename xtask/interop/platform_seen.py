"""The platform as somebody who is no client sees it: a browser, a test that turns its clock, and the bare wire."""

import os
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import requests
from walk import check

EXTENSION = "/restapi/v1.0/account/~/extension/~"
PAGES_AT_MOST = 8
# Seconds. Everything is on this machine.
LIMIT = 15


def environment(name):
    value = os.environ.get(name)
    check(value, f"{name} is not set")
    return value


SERVER = environment("RC_SERVER_URL")
REDIRECT_URI = environment("RC_REDIRECT_URI")


class Form(HTMLParser):
    """The first form of a page, sent by its first button."""

    def __init__(self, page):
        super().__init__()
        self.action = None
        self.fields = {}
        self._inside = False
        self._button = False
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        name, value = attributes.get("name"), attributes.get("value") or ""
        if tag == "form" and self.action is None:
            self.action = attributes.get("action", "")
            self._inside = True
        elif tag == "input" and self._inside and name:
            self.fields[name] = value
        elif tag == "button" and self._inside and name and not self._button:
            self.fields[name] = value
            self._button = True

    def handle_endtag(self, tag):
        if tag == "form":
            self._inside = False


def sign_in(authorize_url):
    """Follows redirects and fills in forms, as a person would, until the browser is sent to the app. The query
    of that address."""
    browser = requests.Session()
    browser.headers["Accept"] = "text/html"
    response = browser.get(authorize_url, allow_redirects=False, timeout=LIMIT)
    for _ in range(PAGES_AT_MOST):
        location = response.headers.get("Location")
        if location and location.startswith(REDIRECT_URI):
            return dict(parse_qsl(urlsplit(location).query))
        if location:
            response = browser.get(urljoin(response.url, location), allow_redirects=False, timeout=LIMIT)
        else:
            response = filled_in(browser, response)
    raise AssertionError(f"no way back to the app within {PAGES_AT_MOST} pages")


def filled_in(browser, response):
    form = Form(response.text)
    path = urlsplit(response.url).path
    check(response.status_code == 200 and form.action is not None, f"status {response.status_code} without a form at {path}")
    known = {"login": environment("RC_USERNAME"), "password": environment("RC_PASSWORD")}
    fields = {name: known.get(name, value) for name, value in form.fields.items()}
    address = urljoin(response.url, form.action)
    return browser.post(address, data=fields, allow_redirects=False, timeout=LIMIT)


def expire_access_tokens():
    response = requests.post(f"{SERVER}/sim/access-tokens/expire", timeout=LIMIT)
    check(response.status_code == 200, "the access tokens could not be expired")


def status_of(access_token):
    """What the platform itself says about an access token, without a client between."""
    headers = {"Authorization": f"Bearer {access_token}"}
    return requests.get(SERVER + EXTENSION, headers=headers, timeout=LIMIT).status_code


def check_tokens(tokens):
    """What every client needs of a token answer, and what nobody checks for it."""
    check(tokens["access_token"], "no access_token")
    check(tokens["refresh_token"], "no refresh_token")
    check(tokens["expires_in"] > 0, f"expires_in is {tokens['expires_in']}")
