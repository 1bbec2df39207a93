"""The `tasic` command."""

import atexit
import os
import re
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any

import click

from asic_model.workload.errors import WorkloadError
from cli.capacity import capacity
from cli.chips import chips
from cli.decode import decode
from cli.density import density
from cli.encode import encode
from cli.explain import compare, explain
from cli.fleet import fleet
from cli.hrd import hrd
from cli.info import doctor, info, version
from cli.monitor import list_devices, log, mon, top
from cli.record import record
from cli.rtl import rtl
from cli.scale import scale
from cli.serve import reset, selftest, serve, validate
from cli.simulate import simulate
from cli.sweep import sweep
from cli.transcode import transcode
from driver.errors import TasicError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_DEFECT = 70  # sysexits.h: EX_SOFTWARE
GRACE_S = 15  # for the way out after a signal
EXIT_SIGNAL = 128  # plus the signal's number, as shells report it


def _print_version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        context.invoke(version)
        context.exit()


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def tasic() -> None:
    """A virtual video-transcoding chip: exact streams out, and what the chip did for them."""


for command in (
    *(transcode, encode, decode, scale),
    *(record, simulate, capacity, sweep, fleet, density, explain, compare),
    *(serve, validate, selftest, reset, list_devices, top, mon, log),
    *(chips, hrd, rtl, info, doctor, version),
):
    tasic.add_command(command)


def _interrupted(number: int, _frame: FrameType | None) -> None:
    """Ctrl-C and SIGTERM: unfinished files are removed on the way out, within twice the time of grace."""
    if number == signal.SIGTERM:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one does not disturb
        os.write(2, b"tasic: terminated: no unfinished file is left under a final name\n")  # print may be under way
    _limit(EXIT_SIGNAL + number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(EXIT_SIGNAL + number)


def _limit(code: int) -> None:
    """The way out may wait for what cannot come, or a destructor have swallowed the exception: once more, then end."""

    def once_more(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGALRM, lambda number, frame: os._exit(code))
        signal.alarm(GRACE_S)
        raise SystemExit(code)

    signal.signal(signal.SIGALRM, once_more)
    signal.alarm(GRACE_S)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code; every failure is one line on stderr."""
    try:
        code = tasic.main(
            args=list(arguments) if arguments is not None else None, prog_name="tasic", standalone_mode=False
        )
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message(), file=sys.stderr)
        return EXIT_USAGE
    except click.BadParameter as error:
        path = error.ctx.command_path if error.ctx else "tasic"
        _say(f"{_refusal(error)} (see {path} --help)")
        return EXIT_USAGE
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "tasic"
        _say(f"{error.format_message()} (see {path} --help)")
        return EXIT_USAGE
    except click.ClickException as error:
        _say(error.format_message())
        return EXIT_FAILED
    except (KeyboardInterrupt, click.Abort) as error:
        # click turns Ctrl-C into Abort, and has ended the terminal's line
        _say(str(error.__cause__ or "") or "interrupted: no unfinished file is left under a final name")
        return EXIT_SIGNAL + signal.SIGINT
    except BrokenPipeError:
        # whoever read our output left; a second error while closing stdout would only be noise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_SIGNAL + signal.SIGPIPE
    except (TasicError, WorkloadError) as error:
        _say(str(error))
        return EXIT_FAILED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _say(f"{where}{error.strerror or error}")
        return EXIT_FAILED
    except MemoryError:
        _say("not enough memory on this machine")
        return EXIT_FAILED
    except Exception as error:
        if os.environ.get("TASIC_TRACEBACK"):
            raise
        detail = " ".join(str(error).split())
        _say(f"defect in tasic, please report: {type(error).__name__}: {detail} (TASIC_TRACEBACK=1 shows where)")
        return EXIT_DEFECT


def _refusal(error: click.BadParameter) -> str:
    """Click's complaint about a value, in the words of the driver's: which option, the value, what is allowed."""
    text = error.message.removesuffix(".")
    text = re.sub("is not a valid integer( range)?$", "is not a whole number", text)
    text = re.sub("is not a valid float( range)?$", "is not a number", text)
    text = re.sub(r"is not in the range x>=(\S+)$", r"is below \1", text)
    text = re.sub(r"is not in the range (\S+)<=x<=(\S+)$", r"is outside \1..\2", text)
    if not isinstance(error.param, click.Option) or isinstance(error, click.MissingParameter):
        return error.format_message()
    return f"option {max(error.param.opts, key=len).lstrip('-')}: {text}"


def _say(text: str) -> None:
    print(f"tasic: {' '.join(text.splitlines())}", file=sys.stderr)


def main() -> None:
    """Entry point of the installed command."""
    signal.signal(signal.SIGTERM, _interrupted)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # ignored where a shell says so
        signal.signal(signal.SIGINT, _interrupted)
    try:
        code: Any = run()
    except SystemExit as end:
        code = end.code
    sys.stdout.flush()
    kernels = sys.modules.get("asic_model.kernel_cache")
    struck = code in (EXIT_SIGNAL + signal.SIGINT, EXIT_SIGNAL + signal.SIGTERM)
    if struck or (isinstance(code, int) and kernels is not None and kernels.compiling()):
        # All is closed. The ordinary end would wait for threads that compute or compile.
        atexit._run_exitfuncs()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
