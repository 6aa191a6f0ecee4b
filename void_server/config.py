"""The server's one configuration: defaults < file < environment < flags, checked once."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from void_server.devices import check_devices
from void_server.limits import GB, Limits
from void_server.logs import FORMATS
from void_server.priorities import NONE, Priorities
from void_server.retention import Retention
from void_wire import messages, sockets
from void_wire.errors import SettingsError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENVIRONMENT_PREFIX = "VOID_"
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
MEMORY_MODES = ("auto", "resident", "offload", "group", "low")
SPEEDS = ("plain", "exact", "fp8")


def default_data_dir() -> Path:
    """Where jobs live unless the config says otherwise."""
    return platformdirs.user_data_path("void", appauthor=False)


@dataclass(frozen=True)
class Config:
    """What ``void serve`` runs with. Every field can stand in the TOML file, as VOID_<NAME>, or as a flag."""

    address: str = sockets.DEFAULT_ADDRESS  # beyond loopback and ipc only with keys
    keys: str = ""  # folder of the keys that are let in; default: data_dir/keys
    require_keys: bool = False  # on loopback and ipc too
    list_others: bool = False  # a key's list of jobs names those of other keys
    data_dir: str = ""  # jobs and logs; default: the user's data folder
    weights: str = ""  # folder of the model; default: data_dir/weights
    raft_weights: str = ""  # RAFT's weights file, for flow = "raft"
    device: str = "auto"  # auto: every GPU; cpu, cuda, cuda:1; by commas a worker each, by + one on all
    memory: str = "auto"  # one of MEMORY_MODES
    speed: str = "plain"  # one of SPEEDS
    credit: int = 4  # frames a client may have sent and not acknowledged
    max_frame_mb: int = 512  # of a frame's file
    frames_per_job: int = messages.MAX_FRAMES
    jobs_per_key: int = 50  # unfinished jobs
    queue_limit: int = 100  # unfinished jobs of everybody
    priorities: Priorities = NONE  # of keys by name: higher ones' jobs come first
    quota_gb: int = 0  # on disk, of a key's jobs; 0: none
    max_connections: int = 500  # on either port
    jobs_per_worker: int = 2  # 2: while one has the model the next is read, the one before written
    worker_memory_gb: int = 0  # of each process that decodes and owns a GPU; 0: what the machine has
    keep_days: int = 30  # a job that has ended is deleted after; 0: never
    keep_gb: int = 0  # of jobs that have ended, the oldest are deleted above; 0: no limit
    receive_hours: int = 24  # a job that gets no frame for so long is cancelled; 0: never
    private: bool = False  # prompts stay here: not in what leaves
    metrics_port: int = 0  # of http://127.0.0.1:PORT/metrics; 0: none
    log_format: str = "text"  # or json: an object a line
    exit_with: int = 0  # leave when the process of this id is gone; 0: stay
    idle_exit_s: int = 0  # leave after this long without a job or a message; 0: stay

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", sockets.full_address(self.address))
        object.__setattr__(
            self, "data_dir", str(Path(self.data_dir or default_data_dir()).expanduser().absolute())
        )
        weights = Path(self.weights).expanduser() if self.weights else Path(self.data_dir) / "weights"
        object.__setattr__(self, "weights", str(weights.absolute()))
        keys = Path(self.keys).expanduser() if self.keys else Path(self.data_dir) / "keys"
        object.__setattr__(self, "keys", str(keys.absolute()))
        if self.memory not in MEMORY_MODES:
            raise SettingsError(f"memory is {self.memory!r}; choose one of {', '.join(MEMORY_MODES)}.")
        if self.speed not in SPEEDS:
            raise SettingsError(f"speed is {self.speed!r}; choose one of {', '.join(SPEEDS)}.")
        if self.log_format not in FORMATS:
            raise SettingsError(f"log_format is {self.log_format!r}; choose one of {', '.join(FORMATS)}.")
        check_devices(self.device)
        if self.raft_weights and not Path(self.raft_weights).is_file():
            raise SettingsError(f"raft_weights: there is no file {self.raft_weights}.")
        for name, low, high in (
            ("credit", 1, 64),
            ("max_frame_mb", 1, messages.MAX_FRAME_BYTES // 2**20),
            ("frames_per_job", 1, messages.MAX_FRAMES),
            ("jobs_per_key", 1, 100_000),
            ("queue_limit", 1, 100_000),
            ("quota_gb", 0, 10**6),
            ("max_connections", 8, 100_000),
            ("jobs_per_worker", 1, 2),
            ("worker_memory_gb", 0, 10**5),
            ("keep_days", 0, 10**5),
            ("keep_gb", 0, 10**6),
            ("receive_hours", 0, 10**5),
            ("metrics_port", 0, 65535),
            ("exit_with", 0, 2**31 - 1),
            ("idle_exit_s", 0, 10**9),
        ):
            if not low <= getattr(self, name) <= high:
                raise SettingsError(f"{name} is {getattr(self, name)}; it goes from {low} to {high}.")

    @property
    def asks_for_keys(self) -> bool:
        """Whether a client needs a key."""
        return self.require_keys or not sockets.is_loopback(self.address)

    @property
    def limits(self) -> Limits:
        """What the job store takes."""
        return Limits(self.queue_limit, self.jobs_per_key, self.frames_per_job, self.quota_gb * GB)

    @property
    def retention(self) -> Retention:
        """What the job store keeps."""
        return Retention(self.keep_days * 86_400, self.keep_gb * GB, self.receive_hours * 3_600)

    @property
    def max_frame_bytes(self) -> int:
        """max_frame_mb in bytes."""
        return self.max_frame_mb * 2**20


def load(file: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Config:
    """The config of a file, the environment and flags (None: not given), later ones first.

    Raises SettingsError naming the key and where it stands.
    """
    values: dict[str, Any] = {}
    fields = {field.name: field for field in dataclasses.fields(Config)}
    if file is not None:
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"Config {file} cannot be read: {error.strerror}.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"Config {file} is no TOML: {error}.") from None
        for name in values:
            if name not in fields:
                raise SettingsError(f"Config {file} has {name!r}; known are {', '.join(fields)}.")
    for name in fields:
        text = environment.get(ENVIRONMENT_PREFIX + name.upper())
        if text is not None:
            values[name] = text
    values.update({name: value for name, value in flags.items() if value is not None})
    return Config(**{name: _typed(name, value, fields[name].default) for name, value in values.items()})


def _typed(name: str, value: Any, default: Any) -> Any:
    if isinstance(default, Priorities):
        return Priorities.read(value)
    if isinstance(default, bool):
        said = str(value).lower()
        if said not in _YES + _NO:
            raise SettingsError(f"{name} is {value!r}; it must be true or false.")
        return said in _YES
    if isinstance(default, int):
        try:
            return int(value)
        except (TypeError, ValueError):
            raise SettingsError(f"{name} is {value!r}; it must be a whole number.") from None
    return os.path.expandvars(str(value))
