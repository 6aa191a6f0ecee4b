"""``void submit`` and ``rerun``: shots that become jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from void_server.cli.arguments import LOCAL, ServerAddress, WeightsFolder
from void_server.cli.endings import check_destination, tell_end, tell_left
from void_wire.errors import SettingsError
from void_wire.messages import JobSpec, Role, State, new_job_id

app = typer.Typer()


def _take_options_of(context: typer.Context, like: Path | None) -> Path | None:
    """Let a record's settings stand wherever the command line gives none."""
    if like is not None:
        from void_server.sidecar import read_options

        context.default_map = read_options(like)
    return like


@app.command()
def submit(
    context: typer.Context,
    plate: Annotated[str | None, typer.Option(help="plate.%04d.exr or plate.####.exr")] = None,
    quadmask: Annotated[
        str | None, typer.Option(help="Ready-made: 0 remove, 63 overlap, 127 affected, 255 keep.")
    ] = None,
    mattes: Annotated[str | None, typer.Option(help="Both mattes in one EXR: R remove, G affected.")] = None,
    remove: Annotated[str | None, typer.Option(help="Matte of what to remove, 0..1.")] = None,
    affected: Annotated[
        str | None, typer.Option(help="Matte of what it affects: shadow, reflection, what falls.")
    ] = None,
    sample: Annotated[
        Path | None,
        typer.Option(help="A folder as upstream's: input_video.mp4, quadmask_*.mp4, prompt.json."),
    ] = None,
    out: Annotated[str | None, typer.Option(help="result.%04d.exr")] = None,
    range_: Annotated[
        str | None, typer.Option("--range", help="1001-1046; default: what the plate has.")
    ] = None,
    handles: Annotated[int, typer.Option(help="Frames to do beyond either end of --range.")] = 0,
    prompt: Annotated[str | None, typer.Option(help="What the empty scene looks like.")] = None,
    engine: Annotated[
        str, typer.Option(help="void, or draft: no weights, no GPU, undoes no interactions.")
    ] = "void",
    passes: Annotated[int | None, typer.Option(help="1 or 2.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Same request, same seed, same machine: same bytes.")
    ] = None,
    steps: Annotated[str | None, typer.Option(help="Of pass 1 and 2: 30,50; one number for both.")] = None,
    guidance: Annotated[str | None, typer.Option(help="Of pass 1 and 2: 1,6; one number for both.")] = None,
    raster: Annotated[str | None, typer.Option(help="Height x width the model runs at: 384x672.")] = None,
    window: Annotated[int | None, typer.Option(help="Frames of a temporal window: 85.")] = None,
    window_seeds: Annotated[
        str | None, typer.Option(help="Temporal windows with seeds of their own: 2:77,4:9")
    ] = None,
    preview: Annotated[
        bool | None, typer.Option(help="Ten steps of pass 1 at half the raster; void rerun JOB --final.")
    ] = None,
    warped_noise: Annotated[str | None, typer.Option(help="as_reference or corrected.")] = None,
    flow: Annotated[str | None, typer.Option(help="dis or raft.")] = None,
    latents: Annotated[
        str | None, typer.Option(help="float32, or model: rounded between steps as the reference.")
    ] = None,
    time_base: Annotated[
        str | None, typer.Option(help="native: every frame; model: about 12 a second, the rest rebuilt.")
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="Frames a second of the plate, where its files do not say.")
    ] = None,
    noise_range: Annotated[
        str | None,
        typer.Option(help="Of a part of a shot, the whole shot's range: parts start alike. 1001-1200"),
    ] = None,
    colorspace: Annotated[
        str | None, typer.Option(help="Of the plate: a space or role of the server's OCIO config.")
    ] = None,
    affected_shape: Annotated[str, typer.Option(help="grid: as trained; drawn.")] = "grid",
    affected_first_frame: Annotated[
        str, typer.Option(help="keep, or clear: nothing has happened yet.")
    ] = "keep",
    crop: Annotated[
        str | None,
        typer.Option(help="Where the model looks: auto, full, or x,y,width,height in plate pixels."),
    ] = None,
    crop_context: Annotated[
        float | None, typer.Option(help="Share that the automatic crop adds on every side: 0.35.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of what the model sees: display, or log (ACEScct).")
    ] = None,
    exposure: Annotated[
        str | None, typer.Option(help="Of what the model sees: auto, off, or stops: --exposure=-1.5")
    ] = None,
    model_grow: Annotated[
        int | None, typer.Option(help="Pixels the remove matte grows before the model sees it.")
    ] = None,
    detail: Annotated[
        str | None,
        typer.Option(
            help="borrow: real pixels of other frames (default); upscale: the answer matched; raw: enlarged."
        ),
    ] = None,
    regrain: Annotated[
        bool | None, typer.Option(help="Put the plate's grain over what the model made: on by default.")
    ] = None,
    segments: Annotated[
        str, typer.Option(help="auto: crops of their own where it helps, anew at every cut; one: neither.")
    ] = "auto",
    grow: Annotated[int, typer.Option(help="Pixels the matte grows before the fill is merged.")] = 3,
    feather: Annotated[int, typer.Option(help="Pixels over which it then falls off.")] = 4,
    compression: Annotated[str | None, typer.Option(help="Of the result; default: the plate's.")] = None,
    layers: Annotated[
        str | None, typer.Option(help="To add to the result: fill,matte,quadmask,difference")
    ] = None,
    save_pass1: Annotated[str | None, typer.Option(help="Also bring pass 1: pass1.%04d.exr")] = None,
    save_quadmask: Annotated[
        str | None, typer.Option(help="Also bring what the model sees: quadmask.%04d.png")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(help="Also draw a contact sheet with each frame's signs: sheet.png")
    ] = None,
    server: ServerAddress = LOCAL,
    weights: WeightsFolder = None,
    job: Annotated[str | None, typer.Option(help="Take up this job again, or name a new one.")] = None,
    shot: Annotated[str | None, typer.Option(help="Name of the shot; default: the plate's.")] = None,
    detach: Annotated[
        bool, typer.Option(help="Leave once everything is sent; void fetch brings it.")
    ] = False,
    like: Annotated[
        Path | None,
        typer.Option(
            help="A result's .void.json: the same job again; options given beside it win.",
            is_eager=True,
            callback=_take_options_of,
        ),
    ] = None,
) -> None:
    """Send a shot, watch it, bring the result home. Starts a local server when none runs."""
    from void_server.following import bars, console, follow, outputs_of, saying
    from void_server.local_server import prepare_server
    from void_server.options import cost_note, frame_range, settings_of
    from void_server.sidecar import write as write_sidecar
    from void_server.submission import Files, check_crop, check_output, check_rate, gather, source_of
    from void_wire.client import Client

    picture, void = settings_of(context.params)
    if save_pass1 and (void is None or void.as_run().passes == 1):
        raise SettingsError(
            "--save-pass1 is for two passes of engine void; with --passes 1 or --preview the result is pass 1."
        )
    check_destination(out, detach)
    if sheet and not out:
        raise SettingsError("--sheet is drawn from the result: give --out result.%04d.exr too.")
    outputs = outputs_of(out, save_pass1, save_quadmask)
    patterns = {
        Role.PLATE: plate,
        Role.QUADMASK: quadmask,
        Role.MATTES: mattes,
        Role.REMOVE: remove,
        Role.AFFECTED: affected,
    }
    source = {role.value: pattern for role, pattern in patterns.items() if pattern}
    if sample is not None:
        source = {"sample": str(sample)}

    def before_reading(spec: JobSpec, files: Files) -> None:
        for role, pattern in outputs.items():
            check_output(role, pattern, spec.frames, files)
        check_crop(spec, files)
        check_rate(spec, files)
        if void is not None and (note := cost_note(void)):
            console.print(f"Note: {note}")
        prepare_server(server, weights, spec)

    with source_of(sample, patterns) as (sequences, sample_prompt), bars() as display:
        task = display.add_task("check", total=None, visible=False)
        submission = gather(
            sequences,
            frames=frame_range(range_, handles),
            engine=engine,
            prompt=prompt if prompt is not None else sample_prompt,
            picture=picture,
            void=void,
            job=job,
            shot=shot or (sample.resolve().name if sample else None),
            checked=lambda done, total: display.update(task, completed=done, total=total, visible=True),
            found=before_reading,
        )
        for note in submission.notes:
            console.print(f"Note: {note}")
        with Client(server) as client:
            spec = submission.spec
            client.submit(spec)
            console.print(f"Job {spec.job}: {spec.frames} of {spec.shot}, engine {spec.engine}")
            task = display.add_task("send", total=spec.sent_frames())
            try:
                say = saying(display)

                def sent(done: int, total: int) -> None:
                    display.update(task, completed=done)
                    say("")

                client.upload(spec, submission.files, sent, say)
                display.stop()
                if detach:
                    console.print(f"Sent. Bring the result with: void fetch {spec.job} --out result.%04d.exr")
                    return
                status = follow(client, spec.job, outputs)
                signs = client.signs(spec.job)
            except KeyboardInterrupt:
                display.stop()
                tell_left(spec.job, out)
    if status.state is State.DONE and out:
        console.print(f"What made it: {write_sidecar(out, spec, source, status.record, signs)}")
        if sheet:
            from void_server.contact_sheet import write_sheet
            from void_server.frames.sequence import output_path

            result = {frame: output_path(out, frame) for frame in status.ready[Role.RESULT]}
            write_sheet(sheet, spec, {**submission.files, Role.RESULT: result}, signs)
            console.print(f"Contact sheet: {sheet}")
    tell_end(status, out)


@app.command()
def rerun(
    job: Annotated[str, typer.Argument(help="A job the server has: its frames are not sent again.")],
    final: Annotated[bool, typer.Option(help="In full what was a preview.")] = False,
    seed: Annotated[int | None, typer.Option(help="Another seed, of the whole job or of --window.")] = None,
    window: Annotated[
        int | None, typer.Option(help="The temporal window that alone is done anew; the result names them.")
    ] = None,
    prompt: Annotated[str | None, typer.Option(help="Another prompt.")] = None,
    out: Annotated[str | None, typer.Option(help="result.%04d.exr")] = None,
    server: ServerAddress = LOCAL,
    detach: Annotated[bool, typer.Option(help="Leave at once; void fetch brings it.")] = False,
) -> None:
    """Do a job again with something changed, as a new job. The model's answers outside a --window stay."""
    from void_server.following import console, follow, outputs_of
    from void_server.local_server import announce
    from void_server.sidecar import write as write_sidecar
    from void_server.submission import check_output
    from void_wire.client import Client
    from void_wire.rerun import changed

    check_destination(out, detach)
    outputs = outputs_of(out, None, None)
    announce(server)
    with Client(server, patience_s=5.0) as client:
        client.connect()
        before = client.spec(job)
        spec = changed(before, new_job_id(before.shot), final=final, seed=seed, window=window, prompt=prompt)
        for role, pattern in outputs.items():
            check_output(role, pattern, spec.frames, {})
        client.rerun(job, spec)
        console.print(f"Job {spec.job}: {spec.frames} of {spec.shot} again, with the frames of {job}")
        if detach:
            console.print(f"Bring the result with: void fetch {spec.job} --out result.%04d.exr")
            return
        try:
            status = follow(client, spec.job, outputs)
            signs = client.signs(spec.job)
        except KeyboardInterrupt:
            tell_left(spec.job, out)
    if status.state is State.DONE and out:
        console.print(f"What made it: {write_sidecar(out, spec, {}, status.record, signs)}")
    tell_end(status, out)
