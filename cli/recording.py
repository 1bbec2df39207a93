"""Recording a clip's work with the driver: what `tasic record` does, and workloads that name clips."""

from contextlib import ExitStack
from typing import Any

from cli.console import Progress, Warner
from driver.options import Rung


def record_clip(
    path: str, values: dict[str, Any], ladder: tuple[Rung, ...], chip: str, *, limit: int | None = None,
    threads: int | None = None, quiet: bool = False,
) -> tuple[Any, dict[str, Any]]:  # fmt: skip
    """Transcode a clip on `chip` without writing video; return (WorkTrace, report)."""
    from cli import job
    from driver.device import Device
    from driver.errors import InvalidConfig
    from driver.media.source import Source

    warner = Warner()
    with ExitStack() as stack:
        source = stack.enter_context(Source(path, limit=limit))
        config, rungs, warnings = job.plan(source, values, ladder)
        warner([*source.warnings, *warnings])
        device = stack.enter_context(Device.open(f"model:{chip}", record=True, seed=config.seed, host_threads=threads))
        progress = stack.enter_context(Progress(source.frame_count, "recording", quiet))
        with device.open_transcoder(config, rungs, width=source.width, height=source.height) as session:
            for rung, _ in session.transcode(source.pictures_only()):
                if rung == len(rungs) - 1:
                    progress.advance()
        if not progress.frames:
            raise InvalidConfig(f"{path}: no pictures")
        backend: Any = device.backend
        meta = {
            "source": path,
            "source_name": path.rpartition("/")[2],
            "fps": float(source.frame_rate),
            "width": source.width,
            "height": source.height,
            "preset": config.preset,
            "bit_rate": sum(rung.bit_rate or 0 for rung in rungs),
            "frames": progress.frames,
            "rungs": [rung.label for rung in rungs],
        }
        trace = backend.work_trace(meta)
        report = device.report({"source": job.describe_source(source), "frames": progress.frames}) or {}
        warner(source.warnings)
    return trace, report


def clip_recorder(chip: str, quiet: bool) -> Any:
    """How a workload's clips become traces (`asic_model.workload.workload.RecordClip`)."""

    def record(session: Any) -> Any:
        rungs = tuple(Rung(None, (o.width, o.height), round(o.bit_rate) or None) for o in session.ladder)
        values = {"preset": session.preset, "gop_size": session.gop}
        if session.references:
            values["ref_count"] = session.references
        trace, _ = record_clip(session.source.clip, values, rungs, chip, limit=session.source.frames, quiet=quiet)
        return trace

    return record
