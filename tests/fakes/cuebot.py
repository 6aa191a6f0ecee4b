"""A Cuebot for one host and one job: reads a specification as OpenCue's does and has a real RQD run its frames.

    python cuebot.py SPEC FOLDER          run by the interpreter that RQD is installed for

Strict where Cuebot is: a layer's frames wait for what the layer depends on, tokens are put in, a frame that fails is
tried ``maxretries`` times more, and a dead frame keeps what depends on it from running. Prints a line of JSON a frame.
"""

import json
import os
import queue
import re
import subprocess
import sys
import tempfile
from concurrent import futures
from pathlib import Path
from xml.etree import ElementTree

import grpc
from opencue_proto import report_pb2, report_pb2_grpc, rqd_pb2, rqd_pb2_grpc

TOKENS = {"#JOB#": "job", "#LAYER#": "layer", "#FRAME#": "frame"}
KNOWN = {"cmd", "range", "chunk", "memory", "gpus", "gpu_memory", "limits", "env", "services"}


class Reports(report_pb2_grpc.RqdReportInterfaceServicer):
    """What RQD tells."""

    def __init__(self):
        self.started = queue.Queue()
        self.completed = queue.Queue()

    def ReportRqdStartup(self, request, context):
        self.started.put(request.boot_report.host.name)
        return report_pb2.RqdReportRqdStartupResponse()

    def ReportStatus(self, request, context):
        return report_pb2.RqdReportStatusResponse()

    def ReportRunningFrameCompletion(self, request, context):
        self.completed.put(request.frame_complete_report)
        return report_pb2.RqdReportRunningFrameCompletionResponse()


def main(spec, folder):
    reports = Reports()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    report_pb2_grpc.add_RqdReportInterfaceServicer_to_server(reports, server)
    cuebot_port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with tempfile.TemporaryDirectory() as place:
        rqd_port = free_port()
        config = Path(place, "rqd.conf")
        config.write_text(
            f"[Override]\nRQD_GRPC_PORT = {rqd_port}\nCUEBOT_GRPC_PORT = {cuebot_port}\n"
            "OVERRIDE_CUEBOT = 127.0.0.1\nOVERRIDE_NIMBY = false\nOVERRIDE_HOSTNAME = 127.0.0.1\n"
            "RQD_BECOME_JOB_USER = false\nRQD_USE_ALL_HOST_ENV_VARS = true\n"
        )
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        rqd = subprocess.Popen([sys.executable, "-m", "rqd", "-c", str(config)], **quiet)
        try:
            reports.started.get(timeout=60)
            with grpc.insecure_channel(f"127.0.0.1:{rqd_port}") as channel:
                return run(spec, Path(folder), rqd_pb2_grpc.RqdInterfaceStub(channel), reports)
        finally:
            rqd.kill()
            rqd.wait()
            server.stop(None)


def run(spec, folder, rqd, reports):
    """Every layer in its order; returns the number of dead frames."""
    job = spec.find("job")
    depends = [(one.findtext("deplayer"), one.findtext("onlayer")) for one in spec.findall("depends/depend")]
    layers = {layer.get("name"): layer for layer in job.findall("layers/layer")}
    assert len(layers) == len(job.findall("layers/layer")), "two layers of one name"
    assert {name for pair in depends for name in pair} <= set(layers), "a dependency on a layer that is none"
    waiting, complete, dead = dict(layers), set(), 0
    while ready := [n for n in waiting if all(on in complete for layer, on in depends if layer == n)]:
        for name in ready:
            failed = run_layer(job, waiting.pop(name), spec, folder, rqd, reports)
            dead += failed
            if not failed:
                complete.add(name)
    return dead


def run_layer(job, layer, spec, folder, rqd, reports):
    name = layer.get("name")
    unknown = {child.tag for child in layer} - KNOWN
    assert not unknown, f"layer {name} has {unknown}"
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", name), name
    assert layer.findtext("chunk") == "1"
    first, _, last = layer.findtext("range").partition("-")
    tries, dead = int(job.findtext("maxretries")) + 1, 0
    for frame in range(int(first), int(last or first) + 1):
        for attempt in range(1, tries + 1):
            ended = run_frame(job, layer, frame, attempt, spec, folder, rqd, reports)
            print(json.dumps({"layer": name, "frame": frame, "attempt": attempt, "exit": ended}), flush=True)
            if ended == 0:
                break
        else:
            dead += 1
    return dead


def run_frame(job, layer, frame, attempt, spec, folder, rqd, reports):
    command = layer.findtext("cmd").replace("#IFRAME#", str(frame)).replace("#ZFRAME#", f"{frame:04d}")
    assert not re.search(r"#[A-Z_]+#", command), command
    name = f"{frame:04d}-{layer.get('name')}"
    environment = {one.get("name"): one.text for one in job.findall("env/key") + layer.findall("env/key")}
    rqd.LaunchFrame(
        rqd_pb2.RqdStaticLaunchFrameRequest(
            run_frame=rqd_pb2.RunFrame(
                resource_id=f"r-{name}-{attempt}",
                job_id="job-1",
                job_name=f"{spec.findtext('show')}-{spec.findtext('shot')}-{job.get('name')}",
                frame_id=f"{name}-{attempt}",
                frame_name=name,
                layer_id=layer.get("name"),
                command=command,
                user_name=spec.findtext("user"),
                log_dir=str(folder),
                show=spec.findtext("show"),
                shot=spec.findtext("shot"),
                uid=int(spec.findtext("uid")),
                gid=os.getgid(),
                num_cores=100,
                environment=environment,
            )
        )
    )
    report = reports.completed.get(timeout=300)
    assert report.frame.frame_name == name
    return report.exit_status or -report.exit_signal


def free_port():
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


if __name__ == "__main__":
    sys.exit(1 if main(ElementTree.parse(sys.argv[1]).getroot(), sys.argv[2]) else 0)
