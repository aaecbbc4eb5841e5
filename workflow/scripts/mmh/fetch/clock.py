"""Time-outs of one request: what is left of the whole, and connections that end in time."""

import queue
import socket
import threading
import time
from typing import Any


class Clock:
    """Time-outs of one request.

    Parameters
    ----------
    connect : float
        Seconds to look up the name and to connect to one of its addresses.
    read : float
        Seconds of silence.
    total : float
        Seconds for everything.
    spent : float
        Seconds that earlier requests of the same kind have taken of the total.
    """

    def __init__(self, connect: float, read: float, total: float, spent: float = 0) -> None:
        self._connect, self.read, self._total = connect, read, total
        self._started = time.monotonic() - spent

    @property
    def spent(self) -> float:
        """Seconds used of the total."""
        return time.monotonic() - self._started

    def left(self, limit: float) -> float:
        """Seconds that an operation may take.

        Parameters
        ----------
        limit : float
            Its own time-out.

        Returns
        -------
        float
            Positive.

        Raises
        ------
        TimeoutError
            If the total is used up.
        """
        left = self._total - self.spent
        if left <= 0:
            raise TimeoutError(f"not whole after {self._total:g} s")
        return min(limit, left)

    def connect(self, address: tuple[str, int], *_: Any) -> socket.socket:
        """Connect to the first address of a host that answers, as ``socket.create_connection`` does.

        Parameters
        ----------
        address : (str, int)
            Host and port.
        *_
            Passed by `http.client`; not used.

        Returns
        -------
        socket.socket

        Raises
        ------
        OSError
            If the name is unknown or no address answers in time.
        """
        until = time.monotonic() + self.left(self._connect)
        fault: OSError = OSError("the name has no address")
        for family, kind, protocol, _name, place in _look_up(address, self.left(self._connect)):
            try:
                left = self.left(max(until - time.monotonic(), 1e-3))
                connection = socket.socket(family, kind, protocol)
                try:
                    connection.settimeout(left)
                    connection.connect(place)
                    connection.settimeout(self.left(self.read))
                except BaseException:
                    connection.close()
                    raise
                return connection
            except OSError as error:
                fault = error
        if isinstance(fault, TimeoutError):
            raise TimeoutError(f"no connection within {self._connect:g} s")
        raise fault


def _look_up(address: tuple[str, int], seconds: float) -> list[Any]:
    """Addresses of a host; in a thread of its own, since a look-up has no time-out."""
    results: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def look_up() -> None:
        try:
            results.put(socket.getaddrinfo(*address, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            results.put(error)

    threading.Thread(target=look_up, daemon=True).start()
    try:
        found = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"the name of the host is not found within {seconds:.3g} s") from None
    if isinstance(found, Exception):
        raise found
    return found
