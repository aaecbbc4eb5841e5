"""One HTTP request that ends in time whatever the server does: name look-up, connection, headers and body.

A time-out of a socket starts anew with every byte, so a server that drips keeps a reader for ever. Here each
read waits no longer than what is left of the whole. Redirects are not followed. Standard library only.
"""

import functools
import http.client
import io
import re
import socket
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from mmh.errors import reason_of
from mmh.fetch.clock import Clock

_BLOCK = 2**16
_LASTING = (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME), socket.EAI_FAIL)


class RequestError(Exception):
    """A request gave nothing usable.

    Attributes
    ----------
    status : str
        Of the ledger.
    again : bool
        Whether a later attempt may end otherwise.
    """

    def __init__(self, status: str, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.status, self.again = status, again


class Answer:
    """The head of an answer, and its body as a stream."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.status, self.phrase, self.headers = response.status, response.reason, response.headers
        self.length: int | None = response.length

    def close(self) -> None:
        """Close the connection; what is still under way is not awaited."""
        self._response.close()

    def body(self, most: int) -> bytes:
        """Read the body.

        Parameters
        ----------
        most : int
            Bytes allowed.

        Returns
        -------
        bytes

        Raises
        ------
        RequestError
            With status ``too_large`` as soon as that is known, ``truncated`` or ``timeout``.
        """
        if self.length is not None and self.length > most:
            raise RequestError("too_large", f"announces {self.length} bytes, at most {most} are read")
        parts, held = [], 0
        while True:
            try:
                part = self._response.read1(_BLOCK)
            except TimeoutError as error:
                raise _failure(error) from error
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = f"broke off after {held} bytes ({reason_of(error)})"
                raise RequestError("truncated", reason, again=True) from error
            if not part:
                break
            parts.append(part)
            held += len(part)
            if held > most:
                raise RequestError("too_large", f"sends more than {most} bytes")
        # Without a length, and not in chunks, the end of the body is that of the connection.
        if self.length is not None and held < self.length:
            raise RequestError("truncated", f"broke off after {held} of {self.length} bytes", again=True)
        return b"".join(parts)


def request(url: str, clock: Clock, headers: Mapping[str, str]) -> Answer:
    """Send a GET request and read the head of its answer, whatever its status. Proxies are honoured.

    Parameters
    ----------
    url : str
        An http or https address, as from `requestable`.
    clock : Clock
    headers : mapping

    Returns
    -------
    Answer
        To be closed.

    Raises
    ------
    RequestError
        If there is no answer.
    """
    opener = urllib.request.OpenerDirector()  # without handlers of redirects, errors, files, FTP and data
    for handler in (urllib.request.ProxyHandler(), _Http(clock), _Https(clock)):
        opener.add_handler(handler)
    try:
        response = opener.open(urllib.request.Request(url, headers=dict(headers)), timeout=clock.read)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _failure(error) from error
    return Answer(response)  # type: ignore[arg-type]


def requestable(url: str, base: str | None = None) -> str:
    """Turn an address as people write it into one that can be asked for.

    Parameters
    ----------
    url : str
        Spaces and letters beyond ASCII are encoded, a fragment is dropped.
    base : str, optional
        Address that redirects to `url`.

    Returns
    -------
    str

    Raises
    ------
    RequestError
        With status ``bad_url``, if it is no http or https address or leads from https to http.
    """
    try:
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(base, url) if base else url.strip())
        host, port = parts.hostname or "", parts.port
        name = host if ":" in host or host.isascii() else host.encode("idna").decode()
    except ValueError as error:  # UnicodeError is one
        raise RequestError("bad_url", f"is no address ({reason_of(error)})") from error
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[A-Za-z0-9._:-]+", name):
        raise RequestError(
            "bad_url", f"{'redirects to ' if base else ''}{url[:80]!r}, expected http or https"
        )
    if base and base.startswith("https:") and parts.scheme == "http":
        raise RequestError("bad_url", f"redirects out of encryption, to {url[:80]!r}")
    place = (f"[{name}]" if ":" in name else name) + (f":{port}" if port is not None else "")
    path = urllib.parse.quote(parts.path, safe="%/:=&~+!$,;'@()*[]|") or "/"
    query = urllib.parse.quote(parts.query, safe="%/:=&?~+!$,;'@()*[]|")
    return urllib.parse.urlunsplit((parts.scheme, place, path, query, ""))


class _TimedRaw(io.RawIOBase):
    """A socket's stream whose every read is bounded by the clock."""

    def __init__(self, raw: io.RawIOBase, connection: socket.socket, clock: Clock) -> None:
        self._raw, self._socket, self._clock = raw, connection, clock

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._socket.settimeout(self._clock.left(self._clock.read))
        try:
            return self._raw.readinto(buffer)
        except TimeoutError:
            self._clock.left(self._clock.read)  # says so if it was the total
            raise TimeoutError(f"silent for {self._clock.read:g} s") from None

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, clock: Clock, connection: socket.socket, *arguments: Any, **options: Any) -> None:
        super().__init__(connection, *arguments, **options)
        self.fp = io.BufferedReader(_TimedRaw(self.fp.detach(), connection, clock))


def _timed(kind: Callable[..., http.client.HTTPConnection], clock: Clock) -> Callable[..., Any]:
    def connection(host: str, **options: Any) -> http.client.HTTPConnection:
        made = kind(host, **options)
        made._create_connection = clock.connect  # type: ignore[attr-defined]
        made.response_class = functools.partial(_TimedResponse, clock)  # type: ignore[assignment]
        return made

    return connection


class _Http(urllib.request.HTTPHandler):
    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_timed(http.client.HTTPConnection, self._clock), request)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, clock: Clock) -> None:
        super().__init__(context=_context())
        self._clock = clock

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_timed(http.client.HTTPSConnection, self._clock), request, context=_context())


@functools.cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _failure(error: BaseException) -> RequestError:
    """Name what went wrong before a body came."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    reason = reason_of(error)
    if isinstance(cause, socket.gaierror):
        lasting = cause.errno in _LASTING
        status = "dead" if lasting else "unreachable"
        return RequestError(status, f"its host is unknown ({reason})", again=not lasting)
    if isinstance(cause, TimeoutError):
        return RequestError("timeout", reason, again=True)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return RequestError("unreachable", f"has no valid certificate ({reason})")
    if isinstance(cause, http.client.InvalidURL | UnicodeError):
        return RequestError("bad_url", f"is no address ({reason})")
    return RequestError("unreachable", f"gives no answer ({reason})", again=True)
