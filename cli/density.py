"""`tasic density`: how many CPU servers a chip server replaces at equal compression, and what that is worth."""

from pathlib import Path
from typing import Any

import click

from cli.options import Command


@click.command(cls=Command)
@click.option(
    "--clip", "names", multiple=True, metavar="FILE", help="What is transcoded (repeatable) [a generated clip]."
)
@click.option("--chip", default="vcu", metavar="NAME|FILE.yaml", help="Chip: a name, or a description [vcu].")
@click.option(
    "--preset", "chip_presets", multiple=True, metavar="NAME", help="The chip's preset (repeatable) [medium]."
)
@click.option(
    "--encoder", type=click.Choice(["x264", "x265", "svt-av1"]), default="x264", help="Software to compare with [x264]."
)
@click.option("--cpu-presets", metavar="LIST", help="Presets of the software, e.g. veryfast,medium [a spread of them].")
@click.option("--ladder", metavar="RUNGS", help="Outputs of each transcode, e.g. 720p,480p,360p [the clip's own size].")
@click.option("--frames", type=click.IntRange(1), metavar="N", help="Pictures of each clip [120; quick 48].")
@click.option("--metric", type=click.Choice(["psnr", "ssim", "vmaf"]), default="psnr", help="Equal by what [psnr].")
@click.option(
    "--method", type=click.Choice(["pchip", "akima"]), default="pchip", help="Interpolation of curves [pchip]."
)
@click.option(
    "--repeats",
    type=click.IntRange(1, 100),
    metavar="N",
    help="Repeats of each speed, in each of two turns [4; quick 2].",
)
@click.option("--assumptions", metavar="FILE.yaml", help="Prices, power, years: replaces defaults by name.")
@click.option("--seed", type=click.IntRange(0), default=0, metavar="N", help="Of the Monte Carlo run [0].")
@click.option("--quick", is_flag=True, help="Fewer presets, pictures and repeats: planned for under 3 minutes.")
@click.option("--claim", "claim", is_flag=True, help="Only recompute the published claims; nothing is measured.")
@click.option("--repeat-check", is_flag=True, help="Only measure the CPU side, twice, and say how far it agrees.")
@click.option("--accept-noise", is_flag=True, help="Give figures from a machine under load too; they are marked.")
@click.option("--fresh", is_flag=True, help="Measure again what was measured before.")
@click.option("--cache", metavar="DIR", help="Where measured points are kept [~/.cache/tasic/density].")
@click.option(
    "--report", "reports", multiple=True, metavar="FILE|-", help="As .html, .json, .csv or .txt; - prints it [-]."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def density(**options: Any) -> None:
    """Compare a chip with CPU transcoding on this machine, at equal compression.

    Software encoders are timed here, on all processors at once; the CPU preset that compresses as the chip does is
    found on rate-distortion curves; the chip's capacity is simulated. Servers replaced, power and cost follow from
    stated assumptions, with ranges. A study that was stopped goes on where it stopped.
    """
    run(options)


def run(options: dict[str, Any]) -> None:
    """The command behind its options."""
    from benchmarks.density import claims, cost, cpu, encoders
    from benchmarks.density.clips import GENERATED, CannotJudge
    from benchmarks.density.store import Store, default_folder
    from benchmarks.density.vmaf import program
    from cli import density_claims, density_report
    from driver.errors import InvalidConfig

    reports = options["reports"] or ("-",)
    density_report.check(reports)
    if options["claim"]:
        density_claims.write(claims.check_all(), claims.load_published(), reports)
        return
    reason = encoders.missing(options["encoder"])
    if reason is not None:
        raise InvalidConfig(f"option --encoder: {reason}")
    if options["metric"] == "vmaf" and program() is None:
        raise InvalidConfig("option --metric: vmaf: no build of it is installed; pip install 'tasic[vmaf]'")
    from benchmarks.density import repeat, study

    plan = study.Plan(
        clips=tuple(dict.fromkeys(options["names"])) or (GENERATED,),
        frames=options["frames"] or (48 if options["quick"] else 120),
        chip=options["chip"],
        chip_presets=_chip_presets(options["chip_presets"] or ("medium",)),
        encoder=options["encoder"],
        presets=_cpu_presets(options),
        ladder=_ladder(options["ladder"]),
        metric=options["metric"],
        method=options["method"],
        repeats=options["repeats"] or (2 if options["quick"] else 4),
        seed=options["seed"],
        accept_noise=options["accept_noise"],
        assumptions=Path(options["assumptions"]) if options["assumptions"] else None,
        quick=options["quick"],
        fixed_frames=options["frames"] is not None,
        fixed_presets=options["cpu_presets"] is not None,
    )
    _check_chip(plan.chip)
    store = Store(Path(options["cache"]) if options["cache"] else default_folder(), options["fresh"])
    work = repeat.check if options["repeat_check"] else study.run
    try:
        with density_report.Steps(options["quiet"]) as steps:
            result = work(plan, store, steps)
    except (CannotJudge, cpu.TooNoisy, cpu.WorkerFailed, cost.BadAssumption) as error:
        raise InvalidConfig(str(error)) from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"interrupted: what was measured is kept in {store.folder}") from None
    finally:
        store.tidy()
    if not options["repeat_check"]:
        density_report.write(result, reports)
        return
    density_report.write_repeats(result, reports)
    if not result["agree"]:
        raise InvalidConfig(f"two runs of the CPU side differ by {100 * result['worst_difference']:.1f} %")


def _check_chip(name: str) -> None:
    """Refuse a chip that does not exist before anything is measured."""
    from asic_model.chips.reader import ConfigError
    from asic_model.config import load_chip
    from driver.errors import InvalidConfig

    try:
        load_chip(name)
    except ConfigError as error:
        raise InvalidConfig(f"option --chip: {error}") from None


def _chip_presets(names: tuple[str, ...]) -> tuple[str, ...]:
    from driver.options import EncoderConfig

    for name in names:
        EncoderConfig.from_options({"width": 64, "height": 64, "preset": name})
    return tuple(dict.fromkeys(names))


def _cpu_presets(options: dict[str, Any]) -> tuple[str, ...]:
    """The presets asked for, from fast to slow."""
    from benchmarks.density import encoders, study
    from driver.errors import InvalidConfig
    from driver.option_values import near

    known = encoders.ENCODERS[options["encoder"]].presets
    if options["cpu_presets"] is None:
        return (study.QUICK_PRESETS if options["quick"] else study.PRESETS)[options["encoder"]]
    wanted = [word.strip() for word in options["cpu_presets"].split(",") if word.strip()]
    for word in wanted:
        if word not in known:
            raise InvalidConfig(
                f"option --cpu-presets: {word!r} is no preset of {options['encoder']}{near(word, list(known))}; "
                f"known are {', '.join(known)}"
            )
    if len(set(wanted)) < 2:
        raise InvalidConfig("option --cpu-presets: at least 2 are needed to find a match between")
    return tuple(name for name in known if name in wanted)


def _ladder(text: str | None) -> tuple[Any, ...]:
    from driver.errors import InvalidConfig
    from driver.options import parse_ladder

    rungs = parse_ladder(text) if text is not None else ()
    if any(rung.bit_rate is not None for rung in rungs):
        raise InvalidConfig("option --ladder: both sides code at equal QP here; leave the bit rates out")
    return rungs
