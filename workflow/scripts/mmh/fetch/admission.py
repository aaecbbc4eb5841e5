"""What the journal says of an address, and whether its bytes are admitted as an image."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from mmh.fetch.image_policy import UndecodableError, decode, is_one_colour, perceptual_hash

Outcome = tuple[dict[str, Any], bytes | None]  # a record, and the image if it is to be stored


def admit(url: str, data: bytes, *, max_pixels: int, http_status: int | None = None) -> Outcome:
    """Decide by its bytes whether something is an image.

    Parameters
    ----------
    url : str
    data : bytes
    max_pixels : int
    http_status : int, optional

    Returns
    -------
    record : dict
        For the journal; status ``ok``, ``placeholder``, ``too_large``, ``truncated`` or ``not_an_image``.
    data : bytes or None
        None unless the image is to be stored.
    """
    facts: dict[str, Any] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    try:
        decoded = decode(data, max_pixels=max_pixels)
    except UndecodableError as error:
        return journal_record(url, error.status, str(error), http_status, **facts), None
    facts |= {"phash": perceptual_hash(decoded.image)}
    facts |= dict(zip(("width", "height"), decoded.image.size, strict=True))
    if is_one_colour(decoded.image):
        return journal_record(url, "placeholder", "one colour", http_status, **facts), None
    facts["file"] = f"{facts['sha256']}.{decoded.suffix}"
    return journal_record(url, "ok", None, http_status, **facts), data


def journal_record(
    url: str, status: str, reason: str | None, http_status: int | None = None, **facts: Any
) -> dict[str, Any]:
    """Give the line of the journal for an address, with what is known of its image."""
    date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"url": url, "status": status, "reason": reason, "http_status": http_status, "date": date, **facts}
