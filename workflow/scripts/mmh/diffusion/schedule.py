"""Noise schedules in float64: psi(t) and sigma(t) of x_t | x_0 ~ N(psi(t) x_0, sigma(t)^2 I), t in (0, 1]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmh.diffusion.tables import alphas_cumprod, cosine_table, is_flow
from mmh.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """A noise schedule; make one with the class methods.

    Discrete schedules (`from_alphas_cumprod`, `from_scheduler`, `cosine`) have T steps and map t to the step
    min(round(t T), T - 1); continuous ones (`linear_vp`, `edm`, `flow`, and what `continuous` makes of a
    discrete one) have no step index.

    Attributes
    ----------
    kind : str
        ``table``, ``cosine``, ``interpolated``, ``linear_vp``, ``edm`` or ``flow``.
    parameters : dict
        The numbers that define it, as plain JSON values.
    """

    kind: str
    parameters: dict[str, Any]
    _abar: Array | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        """Name the law and its range: a table of numbers would fill a screen."""
        if self._abar is None:
            said = ", ".join(f"{name}={value:g}" for name, value in self.parameters.items()) or "sigma = t"
        else:
            low, high = np.sqrt(1.0 - self._abar[[0, -1]])
            said = f"{len(self._abar)} steps, sigma {low:.3g} to {high:.3g}"
        return f"Schedule({self.kind}, {said})"

    @classmethod
    def from_alphas_cumprod(cls, abar: Sequence[float] | Array) -> Self:
        """Discrete variance-preserving schedule: psi = sqrt(abar_i), sigma = sqrt(1 - abar_i).

        Parameters
        ----------
        abar : array_like
            (T,), cumulative products of 1 - beta, falling within (0, 1); the last may be 0.

        Returns
        -------
        Schedule
            With the table kept in float64.

        Raises
        ------
        InputError
            If the table is empty, rises, or leaves [0, 1).
        """
        table = np.array(abar, dtype=np.float64)
        inside = table.ndim == 1 and table.size > 0 and bool(((table >= 0) & (table < 1)).all())
        if not inside or (np.diff(table) > 0).any():
            raise InputError("alphas_cumprod must be a list of numbers in [0, 1) that never rises")
        return cls("table", {"alphas_cumprod": table.tolist()}, table)

    @classmethod
    def from_scheduler(cls, scheduler: Any) -> Self:
        """Take the noise levels of a diffusers scheduler: its table, or those of a flow.

        diffusers keeps it in float32, where 1 - abar has lost up to four digits at the first steps; known
        laws of beta are therefore recomputed in float64, and used when they agree with the scheduler's own
        table.

        Parameters
        ----------
        scheduler : diffusers scheduler
            Any one with ``alphas_cumprod``, or FlowMatchEulerDiscreteScheduler, whose shift is a sampler's.

        Returns
        -------
        Schedule
            Discrete, with ``num_train_timesteps`` steps; of a flow `flow`.

        Raises
        ------
        InputError
            If the scheduler has no ``alphas_cumprod`` and is of no flow.
        """
        if is_flow(scheduler):
            return cls.flow()
        stored = getattr(scheduler, "alphas_cumprod", None)
        if stored is None:
            raise InputError(
                f"{type(scheduler).__name__} has no alphas_cumprod; state the schedule explicitly"
            )
        table = np.asarray(stored, dtype=np.float64)
        exact = alphas_cumprod(scheduler.config)
        if (
            exact is not None
            and exact.shape == table.shape
            and np.allclose(exact, table, rtol=1e-4, atol=1e-6)
        ):
            table = exact
        return cls.from_alphas_cumprod(table)

    @classmethod
    def cosine(cls, T: int) -> Self:
        """Cosine schedule of T steps: abar(u) = cos^2(pi/2 (u + .008) / 1.008), each beta capped at .999."""
        if T < 1:
            raise InputError(f"a schedule needs at least one step, got {T}")
        return cls("cosine", {"steps": int(T)}, cosine_table(int(T)))

    @classmethod
    def linear_vp(cls, beta_min: float = 0.1, beta_max: float = 20.0) -> Self:
        """Continuous VP-SDE: psi = exp(-B/2), sigma^2 = 1 - exp(-B), B(t) = b0 t + (b1 - b0) t^2 / 2."""
        if not 0 < beta_min <= beta_max:
            raise InputError(f"linear_vp needs 0 < beta_min <= beta_max, got {beta_min}, {beta_max}")
        return cls("linear_vp", {"beta_min": float(beta_min), "beta_max": float(beta_max)})

    @classmethod
    def edm(cls, sigma_min: float, sigma_max: float) -> Self:
        """Variance-exploding schedule: psi = 1, sigma(t) = sigma_min^(1-t) sigma_max^t."""
        if not 0 < sigma_min < sigma_max:
            raise InputError(f"edm needs 0 < sigma_min < sigma_max, got {sigma_min}, {sigma_max}")
        return cls("edm", {"sigma_min": float(sigma_min), "sigma_max": float(sigma_max)})

    @classmethod
    def flow(cls) -> Self:
        """Flow matching: psi = 1 - t, sigma = t, the straight line from image to noise."""
        return cls("flow", {})

    def to_dict(self) -> dict[str, Any]:
        """Return a plain JSON dict that `from_dict` reads; floats survive exactly."""
        return {"kind": self.kind, **self.parameters}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Rebuild a schedule from `to_dict`.

        Raises
        ------
        InputError
            If the kind is unknown or a parameter is missing or superfluous.
        """
        values = dict(data)
        kind = values.pop("kind", None)
        names = {
            "table": ["alphas_cumprod"],
            "interpolated": ["alphas_cumprod"],
            "cosine": ["steps"],
            "linear_vp": ["beta_min", "beta_max"],
            "edm": ["sigma_min", "sigma_max"],
            "flow": [],
        }
        if kind not in names or sorted(values) != sorted(names[kind]):
            raise InputError(
                f"not a schedule: kind {kind!r} with {sorted(values)}; known kinds and keys: {names}"
            )
        make = {
            "table": cls.from_alphas_cumprod,
            "interpolated": lambda abar: cls.from_alphas_cumprod(abar).continuous(),
            "cosine": cls.cosine,
            "linear_vp": cls.linear_vp,
            "edm": cls.edm,
            "flow": cls.flow,
        }
        return make[kind](*(values[name] for name in names[kind]))  # type: ignore[operator]

    def continuous(self) -> Schedule:
        """Interpolate a discrete schedule, for solvers that step between its noise levels.

        Entry i of the table belongs to t = i / T, and between entries -log abar, the integral of beta, is
        linear in t: beta is constant within a step. Beyond the last entry the level stays.

        Returns
        -------
        Schedule
            Of kind ``interpolated`` and without step index; a continuous schedule itself.
        """
        if not self._discrete:
            return self
        assert self._abar is not None
        return Schedule("interpolated", {"alphas_cumprod": self._abar.tolist()}, self._abar)

    def beta(self, t: float) -> float:
        """Rate of the process at t: -d log(psi^2) / dt, from the right.

        Parameters
        ----------
        t : float
            Time in (0, 1].

        Returns
        -------
        float
            beta(t) of the variance-preserving process dx = -beta x / 2 dt + sqrt(beta) dw.

        Raises
        ------
        InputError
            If the schedule is discrete (see `continuous`) or not variance-preserving.
        """
        _times(t)
        if self.kind == "linear_vp":
            low, high = self.parameters["beta_min"], self.parameters["beta_max"]
            return float(low + (high - low) * t)
        if self.kind != "interpolated":
            raise InputError(f"a schedule of kind {self.kind!r} has no rate beta(t)")
        assert self._abar is not None
        T = len(self._abar)
        left = min(int(t * T), T - 2)
        ends = self._B(np.array([left / T, (left + 1) / T]))
        return float(T * (ends[1] - ends[0]))

    @property
    def _discrete(self) -> bool:
        return self._abar is not None and self.kind != "interpolated"

    @overload
    def index(self, t: float) -> int | None: ...

    @overload
    def index(self, t: ArrayLike) -> Any: ...

    def index(self, t: ArrayLike) -> Any:
        """Step of the discrete table, min(round(t T), T - 1).

        Parameters
        ----------
        t : float or array_like
            Times in (0, 1].

        Returns
        -------
        int, int64 array or None
            None for a continuous schedule.

        Raises
        ------
        InputError
            If a time lies outside (0, 1].
        """
        times = _times(t)
        if self._abar is None or self.kind == "interpolated":
            return None
        T = len(self._abar)
        steps = np.minimum(np.rint(times * T).astype(np.int64), T - 1)
        return int(steps) if steps.ndim == 0 else steps

    @overload
    def psi(self, t: float) -> float: ...
    @overload
    def psi(self, t: ArrayLike) -> Any: ...
    def psi(self, t: ArrayLike) -> Any:
        """Signal factor psi(t), for t in (0, 1]: float for a float, float64 array for an array."""
        times = _times(t)
        if self._discrete:
            return _plain(np.sqrt(self._abar[self.index(times)]))  # type: ignore[index]
        if self.kind == "flow":
            return _plain(1.0 - times)
        return _plain(np.ones_like(times) if self.kind == "edm" else np.exp(-0.5 * self._B(times)))

    @overload
    def sigma(self, t: float) -> float: ...
    @overload
    def sigma(self, t: ArrayLike) -> Any: ...
    def sigma(self, t: ArrayLike) -> Any:
        """Noise level sigma(t), for t in (0, 1]: float for a float, float64 array for an array."""
        times = _times(t)
        if self._discrete:
            return _plain(np.sqrt(1.0 - self._abar[self.index(times)]))  # type: ignore[index]
        if self.kind != "edm":
            return _plain(times if self.kind == "flow" else np.sqrt(-np.expm1(-self._B(times))))
        low, high = self.parameters["sigma_min"], self.parameters["sigma_max"]
        return _plain(np.exp((1.0 - times) * np.log(low) + times * np.log(high)))

    def _B(self, times: Array) -> Array:  # noqa: N802
        if self._abar is not None:
            T = len(self._abar)
            # A table may end in 0; its logarithm must not spoil the step before it.
            return np.interp(times * T, np.arange(T), -np.log(np.maximum(self._abar, 1e-30)))
        low, high = self.parameters["beta_min"], self.parameters["beta_max"]
        return low * times + 0.5 * (high - low) * times**2


def _times(t: ArrayLike) -> Array:
    times = np.asarray(t, dtype=np.float64)
    if not ((times > 0) & (times <= 1)).all():
        raise InputError(f"t must lie in (0, 1], got {times}")
    return times


def _plain(values: Any) -> Any:
    return float(values) if np.ndim(values) == 0 else values
