"""What is said of the time left: never before it is known, never more exactly."""

import pytest

from void_panel.pace import Pace, about, outlook


def paced(*seen: tuple[int, float], steps: int = 30) -> Pace:
    pace = Pace()
    for step, at_s in seen:
        pace.seen("pass 1", step, steps, at_s)
    return pace


def test_nothing_is_said_before_two_steps_were_seen() -> None:
    assert Pace().left_s(0) is None
    assert paced((0, 0.0)).left_s(5) is None
    assert paced((7, 0.0), (8, 4.0)).left_s(4) is None  # step 7 began before anybody looked


def test_steps_seen_from_the_beginning_give_the_time_left() -> None:
    assert paced((0, 0.0), (1, 4.0)).left_s(4.0) == pytest.approx(4 * 29)
    assert paced((0, 0.0), (1, 4.0)).left_s(6.0) == pytest.approx(4 * 29 - 2)
    assert paced((7, 0.0), (8, 1.0), (10, 9.0)).left_s(9.0) == pytest.approx(4 * 20)


def test_a_step_that_takes_longer_is_the_new_pace() -> None:
    pace = paced((0, 0.0), (1, 1.0), (2, 2.0))
    assert pace.left_s(2.0) == pytest.approx(28)
    assert pace.left_s(102.0) == pytest.approx(100 * 28 - 100)


def test_only_the_last_steps_count() -> None:
    seen = [(step, float(step)) for step in range(21)] + [
        (20 + step, 20 + 5.0 * step) for step in range(1, 13)
    ]
    assert paced(*seen, steps=100).left_s(80.0) == pytest.approx(5 * 68)


def test_another_stage_or_a_retry_begins_anew() -> None:
    pace = paced((0, 0.0), (1, 4.0), (2, 8.0))
    pace.seen("pass 2", 0, 50, 9.0)
    assert pace.left_s(9.0) is None
    pace.seen("pass 2", 1, 50, 19.0)
    assert pace.left_s(19.0) == pytest.approx(490)
    pace.seen("pass 2", 0, 50, 30.0)
    assert pace.left_s(30.0) is None


def test_a_stage_that_is_through_takes_no_time() -> None:
    assert paced((0, 0.0), (30, 60.0)).left_s(60.0) is None


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, ""), (3, "a few seconds"), (12, "about 10 s"), (54, "about 50 s"), (58, "about 1 min"),
        (231, "about 4 min"), (9.6 * 60, "about 10 min"), (33 * 60, "about 35 min"), (58 * 60, "about 60 min"),
        (83 * 60, "about 80 min"), (119 * 60, "about 2 h"), (5.4 * 3600, "about 5 h"),
    ],
)  # fmt: skip
def test_durations_are_round(seconds: float | None, words: str) -> None:
    assert about(seconds) == words


def test_a_server_s_outlook_is_said_as_far_as_it_goes() -> None:
    assert outlook(None, None) == ""
    assert outlook(240.0, None) == "begins in about 4 min"
    assert outlook(None, 3.0) == "done in a few seconds"
    assert outlook(240.0, 545.0) == "begins in about 4 min, done in about 9 min"
