"""A night that is killed in every way, once each; ``void bench farm`` does it as often as farms do."""

import pytest
from farm_bundles import read_plan

from void_farm.bundle import SEGMENTS
from void_server.bench import farm
from void_server.farm.places import Places
from void_server.farm.task import Work, is_done, run


@pytest.mark.timeout(900)  # five sessions of processes, on machines that do more than this
def test_every_next_run_goes_on_and_the_last_completes_it(tmp_path, draft_address):
    kinds = list(farm.RUNS)
    whole = farm.write_bundle(tmp_path / "whole", len(kinds) + 1)
    bundle = farm.copied(whole, tmp_path / "killed")
    plan = read_plan(whole)
    for task in plan.tasks():
        run(Work(plan, task, Places(whole)), lambda: draft_address, lambda what, share: None)

    kept = {}
    for index, kind in enumerate(kinds):
        exit_code, left_s = farm.disturb(kind, tmp_path / "killed", index, delay_s=0.3)
        assert exit_code != 0, kind
        assert left_s is not None, kind
        kept |= {path: farm.stamp(path) for path in (bundle / SEGMENTS / f"{index:04d}").glob("*.exr")}
        assert is_done(Work(plan, plan.task(index), Places(bundle)))
    assert farm.start(tmp_path / "killed").wait(timeout=farm.PATIENCE_S) == 0
    assert farm.frames_of(bundle) == farm.frames_of(whole)
    assert {path: farm.stamp(path) for path in kept} == kept
    assert not list(bundle.rglob("*.part"))
