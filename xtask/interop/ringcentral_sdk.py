"""PyPI ringcentral."""

import hashlib
import secrets
import sys
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import platform_seen
from platform_seen import EXTENSION, REDIRECT_URI, SERVER, environment
from ringcentral import SDK
from ringcentral.http.api_exception import ApiException
from walk import Walks, check

walks = Walks()


def client():
    sdk = SDK(environment("RC_CLIENT_ID"), environment("RC_CLIENT_SECRET"), SERVER, redirect_uri=REDIRECT_URI)
    return sdk.platform()


def call(platform):
    extension = platform.get(EXTENSION).json_dict()
    check(extension.get("id"), "the extension has no id")


def status_of_call(platform):
    """The status the platform refuses a call with."""
    try:
        call(platform)
    except ApiException as refusal:
        return refusal.api_response().response().status_code
    return 200


def code(more):
    """By an address of our own: the client's login_url ends with a NameError."""
    state = secrets.token_urlsafe(16)
    query = {"response_type": "code", "client_id": environment("RC_CLIENT_ID"), "redirect_uri": REDIRECT_URI}
    answer = platform_seen.sign_in(f"{SERVER}/restapi/oauth/authorize?{urlencode(query | more | {'state': state})}")
    check(answer.get("state") == state, "the callback has another state")
    check(answer.get("code"), "the callback has no code")
    return answer["code"]


def challenge(verifier):
    digest = hashlib.sha256(verifier.encode()).digest()
    hashed = urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {"code_challenge": hashed, "code_challenge_method": "S256"}


def log_in(platform, **grant):
    platform.login(**grant)
    platform_seen.check_tokens(platform.auth().data())
    check(platform.auth().access_token_valid(), "the access token is over already")


def refresh(platform):
    before = platform.auth().data()
    platform.refresh()
    after = platform.auth().data()
    platform_seen.check_tokens(after)
    check(after["access_token"] != before["access_token"], "the access token stayed")
    check(after["refresh_token"] != before["refresh_token"], "the refresh token stayed")


def refresh_again(platform):
    refresh(platform)
    call(platform)


def expired(platform):
    """This client refreshes by its own clock only; a 401 is left to its user."""
    platform_seen.expire_access_tokens()
    status = status_of_call(platform)
    check(status == 401, f"refused with {status} instead of 401")
    refresh(platform)
    call(platform)


def expired_by_own_clock(platform):
    before = platform.auth().access_token()
    platform.auth().set_data({"expire_time": 0})
    call(platform)
    check(platform.auth().access_token() != before, "the access token stayed")


def parallel_calls(platform):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(call, [platform] * 8))


def revoke(platform):
    token = platform.auth().access_token()
    check(platform_seen.status_of(token) == 200, "the access token is refused before it is revoked")
    platform.logout()
    check(platform_seen.status_of(token) == 401, "the access token outlived the session")


def alive_and_over(platform, step):
    step("call", lambda: call(platform))
    step("refresh", lambda: refresh(platform))
    step("refresh again", lambda: refresh_again(platform))
    step("expired access token", lambda: expired(platform))
    step("access token expired by the client's clock", lambda: expired_by_own_clock(platform))
    step("parallel calls", lambda: parallel_calls(platform))
    step("revoke", lambda: revoke(platform))


@walks.walk("app with a secret")
def without_pkce(step):
    platform = client()
    granted = step("sign-in by form", lambda: code({}))
    step("code", lambda: log_in(platform, code=granted))
    alive_and_over(platform, step)


@walks.walk("app with a secret and PKCE")
def with_pkce(step):
    platform = client()
    verifier = secrets.token_urlsafe(32)
    granted = step("sign-in by form", lambda: code(challenge(verifier)))
    step("code", lambda: log_in(platform, code=granted, verifier=verifier))
    alive_and_over(platform, step)


@walks.walk("another verifier")
def another_verifier(step):
    granted = step("sign-in by form", lambda: code(challenge("one" * 15)))

    def refused():
        try:
            client().login(code=granted, verifier="another" * 7)
        except ApiException as refusal:
            status = refusal.api_response().response().status_code
            check(status == 400, f"refused with {status} instead of 400")
        else:
            check(False, "nothing was refused")

    step("refused", refused)


@walks.walk("personal JWT")
def personal_jwt(step):
    platform = client()
    step("JWT", lambda: log_in(platform, jwt=environment("RC_JWT")))
    alive_and_over(platform, step)


sys.exit(walks.run())
