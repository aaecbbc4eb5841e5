"""Options of what is fetched: files by their addresses, and images of lists."""

from typing import Annotated

from mmh.options.base import Field, Options, Unique

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Address = Annotated[str, Field(pattern="^(https?|file)://")]


class Source(Options):
    """A file on the network."""

    urls: Annotated[list[Address], Field(min_length=1), Unique()]
    """Addresses, tried in turn: http, https or file."""
    sha256: Digest | None
    """Digest of the file, null if it is not known."""
    bytes: Annotated[int, Field(ge=1)] | None
    """Size, null if it is not known."""
    licence: str
    """Terms of use."""
    page: str
    """Where a person finds it."""


class FetchOptions(Options):
    """How images are fetched by their addresses. Nothing here changes a finished set."""

    workers: int = Field(default=16, ge=1, le=256)
    """Requests at a time."""
    per_host: int = Field(default=2, ge=1, le=64)
    """Of these, requests to one host."""
    connect: float = Field(default=10, gt=0)
    """Seconds to look up a name and connect."""
    read: float = Field(default=10, gt=0)
    """Seconds of silence after which an attempt is given up."""
    total: float = Field(default=60, gt=0)
    """Seconds for one attempt at one image."""
    retries: int = Field(default=2, ge=0, le=20)
    """Further attempts after an error that may pass."""
    pause: float = Field(default=1, ge=0)
    """Seconds before the first of them; doubles with each."""
    longest_wait: float = Field(default=60, ge=0)
    """Seconds that a server may ask for, beyond which it is given up."""
    redirects: int = Field(default=5, ge=0, le=20)
    """Redirects followed."""
    max_bytes: int = Field(default=20_000_000, ge=1)
    """Size of the largest file, bytes."""
    max_pixels: int = Field(default=50_000_000, ge=1)
    """Largest width times height."""
    user_agent: str = "mmh"
    """What the requests say they come from."""
    again: list[str] = []
    """Statuses in the journal whose addresses are asked for once more."""
