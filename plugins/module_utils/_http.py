# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, the lab.llm_stack authors
"""Ask one publisher over HTTP; a token is sent to that publisher alone, wherever it redirects to.

The standard library forwards an Authorization header to any host that a redirect names, and hubs redirect each large
file to a host of somebody else. Proxies and certificates are those of the machine.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import netrc
import os
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any, cast

from ansible_collections.lab.llm_stack.plugins.module_utils._download import NoSuchRange, Refused, Response

JSON_LIMIT = 64 << 20
"""The largest answer that is read as a whole, in bytes."""


class HttpRefused(Refused):
    """The publisher answered, but not with what was asked for; ``status`` is its answer."""

    def __init__(self, status: int, reason: str, headers: Mapping[str, str], body: str = "") -> None:
        super().__init__(f"the server answers {status} {reason}".rstrip())
        self.status = status
        self.code = str(headers.get("X-Error-Code") or "")
        self.message = str(headers.get("X-Error-Message") or "") or _message(body)
        self.retry_after = str(headers.get("Retry-After") or "")
        self.remaining = str(headers.get("X-RateLimit-Remaining") or "")


def _message(body: str) -> str:
    """Take the reason from an error in JSON; a page for people tells nothing."""
    with contextlib.suppress(ValueError, AttributeError):
        answer = json.loads(body)
        return str(answer.get("error") or answer.get("message") or "")[:300]
    return ""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects; the token goes along only where scheme, host and port stay the same, or on to https."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: ANN401
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            return None
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None:
            made.remove_header("Authorization")
            if "Authorization" in req.unredirected_hdrs and origin_of(newurl) == origin_of(req.full_url):
                made.add_unredirected_header("Authorization", req.unredirected_hdrs["Authorization"])
        return made


def origin_of(url: str) -> tuple[str, str, int]:
    """Name who answers at an address: scheme, host and port."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


class Client:
    """Opens addresses; the token is for those at ``home`` alone. ``timeout`` is in seconds without a byte.

    Without a token ``home`` gets the name and password that ~/.netrc has for it.
    """

    def __init__(self, home: str = "", token: str = "", timeout: float = 60.0) -> None:
        self._home = origin_of(home)
        self._token = token
        self._timeout = timeout
        self._opener = urllib.request.build_opener(_Redirects())

    def open_at(self, url: str, offset: int = 0) -> Response:
        """Open an address from a byte on; raise HttpRefused, NoSuchRange, or OSError where nobody answered."""
        if origin_of(url)[0] not in ("http", "https"):
            raise Refused("it is no address of a web server")
        headers = {"User-Agent": "lab.llm_stack", "Accept-Encoding": "identity"}
        request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme was looked at
        if offset:
            request.add_header("Range", f"bytes={offset}-")
        if origin_of(url) == self._home:
            authorization = f"Bearer {self._token}" if self._token else _password(self._home[1])
            if authorization:
                request.add_unredirected_header("Authorization", authorization)
        try:
            return cast(Response, self._opener.open(request, timeout=self._timeout))
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(error) from None
        except urllib.error.URLError as error:
            raise _unreachable(error) from None
        except (http.client.HTTPException, ValueError) as error:
            raise Refused(f"the answer is not HTTP ({str(error) or type(error).__name__})") from None

    def read(self, url: str, limit: int = JSON_LIMIT) -> bytes:
        """Read an answer as a whole; raise OSError where it ends early, and HttpRefused where it is too large."""
        response = self.open_at(url)
        try:
            content = b"".join(_blocks(response, limit))
        except http.client.HTTPException as error:
            raise OSError(f"the answer ended early ({error})") from None
        finally:
            response.close()
        if len(content) > limit:
            raise Refused(f"the answer has more than {limit >> 20} MiB")
        announced = response.headers.get("Content-Length") or ""
        if announced.isdigit() and int(announced) != len(content):
            raise OSError(f"the answer ended after {len(content)} of {announced} bytes")
        return content

    def read_json(self, url: str) -> Any:  # noqa: ANN401 - whatever was sent
        """Read an answer in JSON; raise Refused, with what it is instead, where it is none."""
        content = self.read(url)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            start = content.lstrip()[:15].lower()
            page = start.startswith((b"<!doctype html", b"<html"))
            what = "an HTML page, such as that of a proxy or a login" if page else "not JSON"
            raise Refused(f"the answer is {what}") from None


def _password(host: str) -> str:
    """Name and password that ~/.netrc has for a host, as a header; empty where it names no such host."""
    try:
        found = netrc.netrc(os.environ.get("NETRC")).hosts.get(host)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, netrc.NetrcParseError) as error:
        raise Refused(f"~/.netrc cannot be read: {error}") from None
    return f"Basic {base64.b64encode(f'{found[0]}:{found[2]}'.encode()).decode()}" if found else ""


def _blocks(response: Response, limit: int) -> Iterator[bytes]:
    left = limit + 1
    while left > 0:
        block = response.read(min(left, 1 << 20))
        if not block:
            return
        left -= len(block)
        yield block


def _refused(error: urllib.error.HTTPError) -> Exception:
    """Tell a server in trouble, where another attempt may help, from one that refuses."""
    if error.code == 416:
        return NoSuchRange()
    if error.code >= 500:
        return OSError(f"the server answers {error.code} {error.reason}")
    body = ""
    with contextlib.suppress(OSError, http.client.HTTPException):
        body = error.read(1 << 16).decode("utf-8", "replace")
    return HttpRefused(error.code, str(error.reason), dict(_title_case(error.headers)), body)


def _title_case(headers: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - a message of the standard library
    """Give headers by the names that are asked for here, however the server spelt them."""
    known = {name.lower(): name for name in ("X-Error-Code", "X-Error-Message", "Retry-After", "X-RateLimit-Remaining")}
    for name, value in headers.items():
        yield known.get(name.lower(), name), value


def _unreachable(error: urllib.error.URLError) -> Exception:
    if isinstance(error.reason, ssl.SSLCertVerificationError):
        return Refused(f"its certificate is not trusted by this machine ({error.reason.verify_message})")
    return error.reason if isinstance(error.reason, OSError) else OSError(str(error.reason))
