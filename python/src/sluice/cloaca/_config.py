"""Options of runners."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from .._checks import did_you_mean
from ._errors import ConfigurationError


@dataclass
class _Fields:
    max_concurrent_tasks: int = 4
    """Bodies of tasks at once."""
    scheduler_poll_interval_ms: int = 100
    """Without effect: the engine does not poll."""
    task_timeout_seconds: int = 300
    """The longest that an attempt at a task may take."""
    workflow_timeout_seconds: int | None = 3_600
    """The longest that a workflow may take. ``None`` for no limit."""
    db_pool_size: int = 10
    """Without effect."""
    enable_recovery: bool = True
    """Without effect: workflows of a process that has died are always continued."""
    enable_cron_scheduling: bool = True
    """Whether schedules can be registered and triggers are polled."""
    cron_poll_interval_seconds: int = 30
    """Without effect: the engine sleeps until a schedule is due."""
    cron_max_catchup_executions: int = 100
    """Without effect: missed times are not made up for, as by default in Cloaca."""
    cron_enable_recovery: bool = True
    """Without effect: the time of a schedule and its workflow are one transaction, so none is lost."""
    cron_recovery_interval_seconds: int = 300
    """Without effect."""
    cron_lost_threshold_minutes: int = 10
    """Without effect."""
    cron_max_recovery_age_seconds: int = 86_400
    """Without effect."""
    cron_max_recovery_attempts: int = 3
    """Without effect."""


class DefaultRunnerConfig(_Fields):
    """Options of ``DefaultRunner.with_config``, each also an attribute. ``None`` means the default.

    Raises ConfigurationError, which is a ValueError, for a value that is not positive, and TypeError for an unknown name.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__()
        for name, value in options.items():
            if value is not None:
                setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "pipeline_timeout_seconds":  # until Cloaca 0.6
            name = "workflow_timeout_seconds"
        kinds = {field.name: type(field.default) for field in fields(_Fields)}
        if name not in kinds:
            raise TypeError(f'DefaultRunnerConfig has no option "{name}"{did_you_mean(name, kinds)}')
        is_flag = kinds[name] is bool
        is_valid = isinstance(value, bool) if is_flag else type(value) is int and value > 0
        if not is_valid and not (value is None and name == "workflow_timeout_seconds"):
            raise ConfigurationError(
                f"{name} must be {'True or False' if is_flag else 'a positive integer'}, not {value!r}"
            )
        super().__setattr__(name, value)

    @staticmethod
    def default() -> DefaultRunnerConfig:
        """Returns the defaults."""
        return DefaultRunnerConfig()

    def to_dict(self) -> dict[str, Any]:
        """Returns all options."""
        return asdict(self)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.to_dict().items())
        return f"DefaultRunnerConfig({options})"
