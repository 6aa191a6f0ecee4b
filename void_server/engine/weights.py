"""The published files: which there are, whether they are all here and whole, and how to get them. No torch here.

::

    DIR/                          alibaba-pai/CogVideoX-Fun-V1.5-5b-InP, without its transformer's weights
        transformer/config.json   vae/   text_encoder/   tokenizer/   scheduler/
        void_pass1.safetensors    netflix/void-model; these two may also lie beside DIR
        void_pass2.safetensors
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from void_wire.errors import CheckpointError, SettingsError, Unreachable

BASE_REPOSITORY = "alibaba-pai/CogVideoX-Fun-V1.5-5b-InP"
VOID_REPOSITORY = "netflix/void-model"
BASE_FILES = (
    "transformer/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    "tokenizer/tokenizer_config.json",
    "tokenizer/spiece.model",
    "scheduler/scheduler_config.json",
)
STEMS = {"vae": "diffusion_pytorch_model", "text_encoder": "model"}
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle")
BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "F8_E4M3": 8, "F8_E5M2": 8,
    "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U8": 8, "BOOL": 8,
}  # fmt: skip
"""Bits of an element, by the name the safetensors format gives its type."""


@dataclass(frozen=True)
class Entry:
    """What a safetensors header says of one tensor."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class FileReport:
    """One file of the layout as it was found."""

    file: Path
    present: bool
    size_bytes: int = 0
    keys: int = 0  # tensors in it; 0 for files that hold none
    dtype: str = ""  # of its tensors
    sha256: str = ""
    problem: str = ""  # one sentence; empty when the file is as it should be


def void_file(folder: Path, pass_number: int) -> Path:
    """Where the weights of a pass lie: inside the folder, else beside it."""
    name = f"void_pass{pass_number}.safetensors"
    beside = folder.absolute().parent / name
    return beside if beside.is_file() and not (folder / name).is_file() else folder / name


def shards(folder: Path, part: str) -> list[Path]:
    """The safetensors files of ``part`` ("vae" or "text_encoder"), by its index where it is split.

    Raises CheckpointError when the index cannot be read or leads out of its folder.
    """
    stem = STEMS[part]
    whole = folder / part / f"{stem}.safetensors"
    index = folder / part / f"{stem}.safetensors.index.json"
    if whole.is_file() or not index.is_file():
        return [whole]
    names = {str(name) for name in read_json(index).get("weight_map", {}).values()}
    if not names or any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise CheckpointError(
            f"{index} names no safetensors files of its own folder: pull the weights again."
        )
    return [folder / part / name for name in sorted(names)]


def model_files(folder: Path) -> dict[str, list[Path]]:
    """Every safetensors file of the model, by part."""
    return {
        "text_encoder": shards(folder, "text_encoder"),
        "vae": shards(folder, "vae"),
        "transformer": [void_file(folder, 1)],
        "transformer_2": [void_file(folder, 2)],
    }


def missing_weights(folder: Path) -> str:
    """Empty when every file is there and whole by its header, else one sentence with the command that gets it."""
    get = f"Get it with: void weights pull {folder}"
    if not folder.is_dir():
        return f"There is no folder of weights at {folder}. {get}"
    try:
        model = model_files(folder)
        wanted = [folder / name for name in BASE_FILES] + [file for files in model.values() for file in files]
    except CheckpointError as error:
        return f"{error} {get}"
    lacking = [file for file in wanted if not file.is_file()]
    for file in lacking:
        for pickle in _pickles_for(file):
            return refuse_pickle(pickle)
    if not lacking:
        try:
            for files in model.values():
                for file in files:
                    header(file)
            for name in BASE_FILES:
                if name.endswith(".json"):
                    read_json(folder / name)
        except CheckpointError as error:
            return str(error)
        return ""
    names = ", ".join(str(file.relative_to(folder)) for file in lacking[:4])
    more = f" and {len(lacking) - 4} more" if len(lacking) > 4 else ""
    return f"The weights in {folder} lack {names}{more}. {get}"


def refuse_pickle(file: Path) -> str:
    """The sentence that says why a pickle is not opened and what to use instead."""
    return (
        f"{file} is a pickle: opening one can run any program, so only safetensors are read. Use the .safetensors "
        f"file of the same release, for example by: void weights pull {file.parent}"
    )


def _pickles_for(file: Path) -> Iterator[Path]:
    """Pickles that someone may have put where ``file`` belongs: of its own name, or under PyTorch's old ones."""
    stems = [file.stem, "pytorch_model"] if file.parent.name in STEMS else [file.stem]
    for name in [stem + suffix for stem in stems for suffix in PICKLES]:
        if file.suffix == ".safetensors" and (found := file.with_name(name)).is_file():
            yield found


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object; CheckpointError when it is missing or is none."""
    try:
        loaded = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} cannot be read ({error}): pull the weights again.") from error
    if not isinstance(loaded, dict):
        raise CheckpointError(f"{file} is not a JSON object: pull the weights again.")
    return loaded


def header(file: Path) -> dict[str, Entry]:
    """The tensors a safetensors file says it has, with the promise that its bytes are all there.

    Raises CheckpointError for a pickle, a file cut short, or anything else that is not safetensors.
    """
    if file.suffix in PICKLES:
        raise CheckpointError(refuse_pickle(file))
    try:
        size = file.stat().st_size
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if not 2 <= length <= min(size - 8, 100_000_000):
                raise ValueError("its header does not fit the file")
            table = json.loads(stream.read(length))
        entries = {
            key: (Entry(value["dtype"], tuple(int(n) for n in value["shape"])), value["data_offsets"])
            for key, value in table.items()
            if key != "__metadata__"
        }
        end = 0
        for entry, (first, last) in sorted(entries.values(), key=lambda found: found[1]):
            if first != end or (last - first) * 8 != math.prod(entry.shape) * BITS[entry.dtype]:
                raise ValueError("its tensors do not lie where they should")
            end = last
        if size != 8 + length + end:
            raise ValueError(f"{size} bytes instead of {8 + length + end}, cut short or padded")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{file} is not a whole safetensors file ({error}): delete it, then pull it again with void weights pull."
        ) from error
    return {key: entry for key, (entry, _) in entries.items()}


def quick_digest(file: Path) -> str:
    """A digest for the record of a result, from the header and 256 samples spread over the file: no full read.

    It tells releases and fine-tunes apart. ``check_weights`` gives the sha256 of every byte.
    """
    size = file.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with file.open("rb") as stream:
        digest.update(stream.read(2**20))
        for place in range(256):
            stream.seek(size * place // 256)
            digest.update(stream.read(4096))
    return digest.hexdigest()


def text_encoder_digest(folder: Path) -> str:
    """A digest, in the manner of `quick_digest`, of all that decides what is made of a prompt."""
    files = [*shards(folder, "text_encoder"), folder / "tokenizer" / "spiece.model"]
    return hashlib.blake2b(" ".join(map(quick_digest, files)).encode(), digest_size=16).hexdigest()


def check_weights(
    folder: Path, mismatches: Callable[[Path], dict[Path, str]] | None = None
) -> list[FileReport]:
    """Look at every file of the layout, reading each byte of those that are there.

    Args:
        folder: of the weights.
        mismatches: ``checkpoints.mismatches``, where torch is installed: compares keys and shapes with the model's,
            once every file is there and whole. Without it only the files themselves are checked.
    """
    wanted = [folder / name for name in BASE_FILES]
    problems: dict[Path, str] = {}
    for part in STEMS:
        try:
            wanted += shards(folder, part)
        except CheckpointError as error:
            wanted.append(index := folder / part / f"{STEMS[part]}.safetensors.index.json")
            problems[index] = str(error)
    wanted += [void_file(folder, 1), void_file(folder, 2)]
    reports = [_report(file, problems.get(file, "")) for file in wanted]
    if mismatches is None or any(report.problem for report in reports):
        return reports
    wrong = mismatches(folder)
    return [replace(report, problem=wrong.get(report.file, "")) for report in reports]


def _report(file: Path, problem: str) -> FileReport:
    if not file.is_file():
        pickles = list(_pickles_for(file))
        return FileReport(
            file, False, problem=refuse_pickle(pickles[0]) if pickles else f"{file} is not there."
        )
    entries: dict[str, Entry] = {}
    try:
        if file.suffix == ".safetensors":
            entries = header(file)
        elif file.suffix == ".json":
            read_json(file)
    except CheckpointError as error:
        problem = str(error)
    sha256 = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(2**22):
            sha256.update(chunk)
    return FileReport(
        file,
        True,
        file.stat().st_size,
        len(entries),
        ", ".join(sorted({entry.dtype for entry in entries.values()})),
        sha256.hexdigest(),
        problem,
    )


def pull_weights(folder: Path, say: Callable[[str], None] = print) -> None:
    """Fetch what lacks from huggingface.co into ``folder``; what is there whole is not fetched again.

    Says the sizes before it begins. A pull that was stopped takes up where it was.

    Raises:
        Unreachable: the hub does not answer, or does not have the files.
        CheckpointError: the disk has not enough room.
        SettingsError: the folder cannot be made.
    """
    import huggingface_hub  # here alone: everything else in this module works without it
    from huggingface_hub.errors import HTTPError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"{folder} cannot be made ({error.strerror}): name a folder you may write to."
        ) from error
    wanted = {BASE_REPOSITORY: _wants_of_base, VOID_REPOSITORY: _wants_of_void}
    chosen: dict[str, list[str]] = {}
    total = 0
    try:
        hub = huggingface_hub.HfApi()
        for repository, wants in wanted.items():
            listed = hub.model_info(repository, files_metadata=True).siblings or []
            files = {one.rfilename: one.size or 0 for one in listed if wants(one.rfilename)}
            lacking = {name: size for name, size in files.items() if not _has(folder / name, size)}
            for name, size in lacking.items():
                say(f"{repository}: {name}, {size / 1e9:.2f} GB")
            chosen[repository] = sorted(lacking)
            total += sum(lacking.values())
        say(f"{total / 1e9:.1f} GB to fetch into {folder}")
        free = shutil.disk_usage(folder).free
        if free < total:
            raise CheckpointError(
                f"{folder} has {free / 1e9:.1f} GB free and the weights need {total / 1e9:.1f} GB: free some or "
                "choose another folder."
            )
        for repository, names in chosen.items():
            if names:
                huggingface_hub.snapshot_download(repository, local_dir=folder, allow_patterns=names)
    except (HTTPError, OSError) as error:
        raise Unreachable(
            f"The weights cannot be fetched from huggingface.co ({type(error).__name__}): try again later, or copy "
            f"{BASE_REPOSITORY} and the two files of {VOID_REPOSITORY} into {folder} from a machine that has them."
        ) from error


def _wants_of_base(name: str) -> bool:
    if name.startswith("transformer/"):
        return name == "transformer/config.json"
    return name.split("/")[0] in ("vae", "text_encoder", "tokenizer", "scheduler") and not name.endswith(
        PICKLES
    )


def _wants_of_void(name: str) -> bool:
    return name in ("void_pass1.safetensors", "void_pass2.safetensors")


def _has(file: Path, size_bytes: int) -> bool:
    return file.is_file() and file.stat().st_size == size_bytes
