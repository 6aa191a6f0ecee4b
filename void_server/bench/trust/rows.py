"""The twenty rows: what is wanted, how often each is tried, and who tries it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from void_server.bench.trust import (
    crowds,
    disks,
    endurance,
    floods,
    gates,
    kills,
    links,
    names,
    pictures,
    sources,
    versions,
)
from void_server.bench.trust.ground import Ground
from void_server.bench.trust.verdict import Finding, NotMeasured, Verdict


@dataclass(frozen=True)
class Row:
    """One promise."""

    number: int
    wanted: str
    full: int  # times, or what the row's docstring says it counts
    quick: int
    try_out: Callable[[Ground, int], list[Finding]]

    def verdict(self, ground: Ground, count: int) -> Verdict:
        """Try it. A row that breaks off does not hold; one that this machine cannot try is not measured."""
        try:
            findings = self.try_out(ground, count)
        except NotMeasured as lacking:
            findings = [Finding(f"not measured: {lacking}", None)]
        except Exception as error:
            findings = [Finding(f"broke off: {type(error).__name__}: {error}", False)]
        return Verdict(self.number, self.wanted, count, tuple(findings))


ROWS = (
    Row(
        1,
        "server killed (-9) anywhere: no frame lost or doubled, same bits, goes on within load + 5 s",
        20,
        1,
        kills.server_killed,
    ),
    Row(
        2,
        "client killed (-9): the job goes on within 10 s, asked again every frame comes",
        20,
        1,
        kills.client_killed,
    ),
    Row(3, "farm's runner killed (-9): no server after 5 s, GPU memory idle", 10, 1, kills.runner_killed),
    Row(
        4,
        "killed (-9) while loading and while writing: no half frame, .part swept",
        20,
        1,
        kills.killed_while_loading_and_writing,
    ),
    Row(
        5, "cancel: acknowledged <= 200 ms, one step more at most, made frames kept", 20, 1, crowds.cancelled
    ),
    Row(
        6,
        "frozen client, seconds: noticed <= 7 s, memory <= 4 frames + 64 MB, others >= 90 %",
        60,
        2,
        crowds.client_frozen,
    ),
    Row(7, "slow reader, frames of 8 MB: memory <= 100 MB, all arrive", 300, 12, crowds.slow_reader),
    Row(
        8,
        "8 clients at once, seconds: fewest / most >= 0.8; the ninth is refused",
        60,
        2,
        crowds.eight_at_once,
    ),
    Row(
        9,
        "mutated messages, a two-hundredth of hypothesis' and a hundredth of garbage connections: alive, each answered "
        "or dropped, memory <= 50 MB, next job same bits",
        1_000_000,
        1_500,
        floods.mutants,
    ),
    Row(
        10,
        "1 TiB announced, 10 x the largest frame, tiny messages, a five-hundredth of idle connections: dropped <= 1 s, "
        "memory <= 100 MB, files bounded, served <= 2 s",
        1_000_000,
        10_000,
        floods.oversize,
    ),
    Row(11, "names that attack paths: no file outside, each refused", 200, 40, names.path_attacks),
    Row(
        12,
        "mutated EXRs and bombs: no crash, decoder <= 1 GiB, refused <= 1 s, NaN and Inf refused",
        20_000,
        100,
        pictures.mutated,
    ),
    Row(
        13,
        "bits flipped on the way: every one caught; under keys the job goes on",
        500,
        8,
        links.bits_flipped,
    ),
    Row(
        14,
        "line cut, 1 Mbit/s, 200 ms: the job is whole, >= 80 % of the slow line used",
        50,
        2,
        links.lines_cut_slow_and_late,
    ),
    Row(
        15,
        "disk full at server and client, read-only, quota: path and bytes named, no broken file, goes on",
        10,
        1,
        disks.full,
    ),
    Row(16, "out of memory, GPU's and decoder's: server lives, next job done", 2, 1, disks.out_of_memory),
    Row(
        17,
        "no key, other key, wrong server, plain: refused before the parser; 0.0.0.0 without keys: no start",
        4,
        4,
        gates.wrong_peers,
    ),
    Row(18, "no pickle, eval, shell; other weights than recorded refused", 1, 1, sources.clean),
    Row(
        19,
        "clock +/- 1 h, jobs of a soak: no drift, memory <= 1 MB / 1000 jobs, files constant",
        10_000,
        6,
        endurance.soak,
    ),
    Row(20, "protocol N-1, N+1: refused clearly, never a hang", 2, 2, versions.skew),
)
