"""What other engines than Open Job Description are handed, word by word, and read back as they would."""

import shlex
import tkinter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from real_shots import void

from void_server.farm.engines import deadline, opencue, tractor
from void_server.farm.engines.work import INDEX, Step, Work
from void_wire.errors import SettingsError

PLAN = "/shows/my show/plan.json"
WORK = Work(
    "night of sh010",
    (
        Step("export", ("nuke", "-x", "/shows/my show/export.nk", "1-10"), licence="nuke_r"),
        Step(
            "remove",
            ("void", "farm", "run", "--plan", PLAN, "--index", INDEX),
            tasks=3,
            memory_mib=65536,
            gpu_memory_mib=40960,
        ),
        Step("finish", ("void", "farm", "finish", "--plan", PLAN)),
    ),
    {"VOID_KEY_FILE": "/keys/farm node"},
)

OPENCUE = """\
<?xml version="1.0"?>
<!DOCTYPE spec PUBLIC "SPI Cue  Specification Language" "http://localhost:8080/spcue/dtd/cjsl-1.15.dtd">
<spec>
  <facility>local</facility>
  <show>testing</show>
  <shot>sh010</shot>
  <user>farm</user>
  <uid>1000</uid>
  <job name="night_of_sh010">
    <paused>False</paused>
    <priority>100</priority>
    <maxretries>2</maxretries>
    <autoeat>False</autoeat>
    <env>
      <key name="VOID_KEY_FILE">/keys/farm node</key>
    </env>
    <layers>
      <layer name="export" type="Render">
        <cmd>nuke -x '/shows/my show/export.nk' 1-10</cmd>
        <range>0</range>
        <chunk>1</chunk>
        <limits>
          <limit>nuke_r</limit>
        </limits>
        <env />
        <services>
          <service>default</service>
        </services>
      </layer>
      <layer name="remove" type="Render">
        <cmd>void farm run --plan '/shows/my show/plan.json' --index '#IFRAME#'</cmd>
        <range>0-2</range>
        <chunk>1</chunk>
        <memory>65536m</memory>
        <gpus>1</gpus>
        <gpu_memory>40960m</gpu_memory>
        <env />
        <services>
          <service>default</service>
        </services>
      </layer>
      <layer name="finish" type="Render">
        <cmd>void farm finish --plan '/shows/my show/plan.json'</cmd>
        <range>0</range>
        <chunk>1</chunk>
        <env />
        <services>
          <service>default</service>
        </services>
      </layer>
    </layers>
  </job>
  <depends>
    <depend type="LAYER_ON_LAYER" anyframe="False">
      <depjob>night_of_sh010</depjob>
      <deplayer>remove</deplayer>
      <onjob>night_of_sh010</onjob>
      <onlayer>export</onlayer>
    </depend>
    <depend type="LAYER_ON_LAYER" anyframe="False">
      <depjob>night_of_sh010</depjob>
      <deplayer>finish</deplayer>
      <onjob>night_of_sh010</onjob>
      <onlayer>remove</onlayer>
    </depend>
  </depends>
</spec>
"""

DEADLINE = {
    "deadline_2_remove.job": """\
Plugin=CommandLine
Name=night of sh010: remove
BatchName=night of sh010
Frames=0-2
ChunkSize=1
ConcurrentTasks=1
Pool=none
Group=gpu40
Priority=50
EnvironmentKeyValue0=VOID_KEY_FILE=/keys/farm node
""",
    "deadline_2_remove.plugin": """\
Executable=void
Arguments=farm run --plan "/shows/my show/plan.json" --index <STARTFRAME>
Shell=default
ShellExecute=False
SingleFramesOnly=True
""",
}

TRACTOR = """\
##AlfredToDo 3.0
Job -title {night of sh010} -serialsubtasks 1 -envkey {{setenv VOID_KEY_FILE=/keys/farm node}} -subtasks {
  Task export -cmds {
      RemoteCmd {nuke -x {/shows/my show/export.nk} 1-10} -service PixarRender -tags {nuke_r}
    }
  Task remove -subtasks {
    Task {remove 0} -cmds {
      RemoteCmd {void farm run --plan {/shows/my show/plan.json} --index 0} -service gpu
    }
    Task {remove 1} -cmds {
      RemoteCmd {void farm run --plan {/shows/my show/plan.json} --index 1} -service gpu
    }
    Task {remove 2} -cmds {
      RemoteCmd {void farm run --plan {/shows/my show/plan.json} --index 2} -service gpu
    }
  }
  Task finish -cmds {
      RemoteCmd {void farm finish --plan {/shows/my show/plan.json}} -service PixarRender
    }
}
"""

CUE = {"show": "testing", "shot": "sh010", "user": "farm", "uid": 1000}


def test_opencue() -> None:
    given = opencue.handed(WORK, **CUE)
    assert given.files == {"opencue.xml": OPENCUE}
    assert given.command[0] == "python3"


def test_deadline() -> None:
    given = deadline.handed(WORK, gpu_group="gpu40")
    assert {name: given.files[name] for name in DEADLINE} == DEADLINE
    assert "LimitGroups=nuke_r\n" in given.files["deadline_1_export.job"]
    assert "Group=none\n" in given.files["deadline_3_finish.job"]
    jobs = [word for word in given.command if word.startswith("deadline_")]
    assert given.command[:3] == ("deadlinecommand", "-SubmitMultipleJobs", "-Dependent")
    assert jobs == list(given.files)
    assert [word.rpartition(".")[2] for word in jobs] == ["job", "plugin"] * 3


def test_tractor() -> None:
    assert tractor.handed(WORK).files == {"tractor.alf": TRACTOR}


TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs", "Cc")), min_size=1)


@given(TEXTS)
def test_a_command_comes_out_of_a_tractor_script_as_it_went_in(path: str) -> None:
    """The script is run by a real Tcl, whose words for jobs, tasks and commands write down what they are given."""
    command = ("void", path, "", "--index", INDEX)
    script = tractor.handed(Work("one", (Step("remove", command, tasks=2),))).files["tractor.alf"]
    tcl, told = tkinter.Tcl(), []
    tcl.createcommand("told", lambda words: told.append(tuple(map(str, tcl.splitlist(words)))))
    tcl.eval(
        "proc opened {args} {foreach {name body} $args {if {$name in {-subtasks -cmds}} {eval $body}}};"
        "proc Job {args} {opened {*}$args}; proc Task {name args} {opened {*}$args};"
        "proc RemoteCmd {command args} {told $command}"
    )
    tcl.eval(script)
    assert told == [tuple(word.replace(INDEX, str(index)) for word in command) for index in (0, 1)]


@given(TEXTS.filter(lambda path: "#" not in path and INDEX not in path))
def test_a_command_comes_out_of_an_opencue_specification_as_it_went_in(path: str) -> None:
    command = ("void", path, "", "--index", INDEX)
    xml = opencue.handed(Work("one", (Step("remove", command, tasks=2),)), **CUE).files["opencue.xml"]
    found: Any = ElementTree.fromstring(xml.partition("\n")[2].partition("\n")[2])
    cmd = found.find("job/layers/layer/cmd").text
    assert shlex.split(cmd.replace("#IFRAME#", "1")) == [word.replace(INDEX, "1") for word in command]


def test_a_night_for_rqd_has_a_user_that_is_not_root(tmp_path: Path) -> None:
    told = void("farm", "opencue", tmp_path, "--show", "testing", "--uid", 0)
    assert told.returncode == 1
    assert "name who it is to run as with --user and --uid" in told.stderr


def test_what_an_engine_would_misread_is_refused() -> None:
    for path, engine in (("a#SHOT#b", "opencue"), ('a"b', "deadline"), ("<QUOTE>", "deadline")):
        work = Work("one", (Step("remove", ("void", path)),))
        with pytest.raises(SettingsError, match="give the path"):
            opencue.handed(work, **CUE) if engine == "opencue" else deadline.handed(work)
