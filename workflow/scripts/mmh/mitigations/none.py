"""Nothing is changed: what every mitigation is compared with."""

from mmh.mitigations.base import Mitigation


class Unmitigated(Mitigation):
    """Plain guided sampling."""

    name, printed, plain = "none", "none", True
