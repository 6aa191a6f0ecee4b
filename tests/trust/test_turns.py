"""Owners take turns, and the place that is told is the place that is had."""

import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from real_shots import ShotOnDisk, StartServer

from void_server.local_server import LocalServer
from void_server.turns import in_turn
from void_wire.client import ENDED, Client
from void_wire.connection import Connection
from void_wire.messages import VoidSettings

ENDLESS = VoidSettings(passes=1, pass1_steps=1000, raster_height_px=32, raster_width_px=64, window_frames=21)

waiting = st.lists(st.sampled_from("abcd"), max_size=15).map(
    lambda owners: [(f"{owner}{place}", owner) for place, owner in enumerate(owners)]
)
turns = st.lists(st.sampled_from("abcde"), unique=True).map(
    lambda owners: {owner: turn for turn, owner in enumerate(owners, 1)}
)


@given(waiting, turns)
def test_the_order_told_is_the_order_in_which_jobs_begin(
    waiting: list[tuple[str, str]], turns: dict[str, int]
) -> None:
    told, left, had = in_turn(waiting, turns), list(waiting), dict(turns)
    begun = []
    while left:
        job = in_turn(left, had)[0]
        owner = dict(left)[job]
        left.remove((job, owner))
        had[owner] = max(had.values(), default=0) + 1
        begun.append(job)
    assert told == begun


@given(waiting, turns)
def test_nobody_is_served_twice_while_another_waits(
    waiting: list[tuple[str, str]], turns: dict[str, int]
) -> None:
    order = in_turn(waiting, turns)
    owners = {owner for _, owner in waiting}
    for end in range(len(order)):
        served = {owner: sum(job[0] == owner for job in order[:end]) for owner in owners}
        still = {job[0] for job in order[end:]}
        for one, other in combinations(sorted(still), 2):
            assert abs(served[one] - served[other]) <= 1
    for owner in owners:
        assert [job for job in order if job[0] == owner] == [job for job, whose in waiting if whose == owner]


@given(waiting, turns, st.dictionaries(st.sampled_from("abcd"), st.integers(-2, 2)))
def test_higher_ones_come_first_and_equals_take_turns(
    waiting: list[tuple[str, str]], turns: dict[str, int], priorities: dict[str, int]
) -> None:
    def priority(owner: str) -> int:
        return priorities.get(owner, 0)

    order = in_turn(waiting, turns, priority)
    owner_of = dict(waiting)
    ranks = [priority(owner_of[job]) for job in order]
    assert ranks == sorted(ranks, reverse=True)
    for rank in set(ranks):
        equals = [(job, owner) for job, owner in waiting if priority(owner) == rank]
        assert [job for job in order if priority(owner_of[job]) == rank] == in_turn(equals, turns)


def test_a_key_with_many_jobs_lets_another_in_between(
    shot: ShotOnDisk,
    start_server: StartServer,
    give: Callable[[str, LocalServer], Connection],
    tmp_path: Path,
) -> None:
    server = start_server()
    with Client(give("anna", server)) as anna, Client(give("bert", server)) as bert:
        for client, job in ((anna, "anna-runs"), *((anna, f"anna-waits-{n}") for n in (1, 2, 3))):
            spec = shot.spec(job, ENDLESS if job == "anna-runs" else None)
            client.submit(spec)
            client.upload(spec, shot.files)
        for n in (1, 2):
            spec = shot.spec(f"bert-waits-{n}")
            bert.submit(spec)
            bert.upload(spec, shot.files)
        order = ["bert-waits-1", "anna-waits-1", "bert-waits-2", "anna-waits-2", "anna-waits-3"]
        places = {s.job: s.queue_place for s in (*anna.jobs(), *bert.jobs()) if s.queue_place}
        assert sorted(places, key=lambda job: places[job]) == order
        assert sorted(places.values()) == [1, 2, 3, 4, 5]
        anna.cancel("anna-runs")
        status = anna.watch("anna-waits-3")
        while status.state not in ENDED:
            status = anna.watch("anna-waits-3", status.revision, 5.0)
    log = (tmp_path / "data" / "server.log").read_text()
    assert re.findall(r"job (\S+) starts", log) == ["anna-runs", *order]
