"""The command line: one file per subcommand, and nothing heavy on the way to one."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Sequence
from importlib import import_module

from liveclf import __version__
from liveclf.cli.messages import asked_format, flush_stderr, flush_stdout, say_error, speak
from liveclf.cli.options import Parser
from liveclf.errors import LiveclfError

# name -> (module, help)
COMMANDS = {
    "run": ("liveclf.cli.run", "classify a recording or a stream, continuously"),
    "plot": ("liveclf.cli.plot", "draw a recording, its emissions boxed and labelled"),
    "scan": ("liveclf.cli.scan", "label many recordings in parallel, with resume"),
    "record": ("liveclf.cli.record", "write a stream or a recording as SigMF"),
    "devices": ("liveclf.cli.devices", "list the radios that are there"),
    "doctor": ("liveclf.cli.doctor", "find what is in the way, and how to mend it"),
    "bench": ("liveclf.cli.bench", "measure how fast this machine classifies, stage by stage"),
    "publish": ("liveclf.cli.publish", "send a recording or a stream to others over ZeroMQ"),
    "synth": ("liveclf.cli.synth", "write a data set of generated signals as HDF5"),
    "train": ("liveclf.cli.train", "train a network on generated signals and bundle it"),
    "evaluate": ("liveclf.cli.evaluate", "measure a bundle on a labelled data set"),
    "export": ("liveclf.cli.export", "write the network of a bundle as ONNX, SavedModel or LiteRT"),
    "completion": ("liveclf.cli.completion", "let a shell complete commands, flags and values"),
}

EPILOG = """\
examples:
  liveclf run                                    the recording in the package
  liveclf run g001_433.92M_250k.cu8              format, rate, centre from the name
  liveclf run recording.sigmf-meta -o jsonl:labels.jsonl -o table
  rtl_sdr -f 433.92e6 -s 1e6 - | liveclf run - --format cu8 --rate 1M
  liveclf run --device rtlsdr --freq 433.92M
  liveclf plot recording.sigmf-meta -o picture.png
  liveclf scan archive/ more/*.cs16 --output results
  liveclf devices
  liveclf doctor --device rtlsdr
  liveclf bench
  liveclf record out.sigmf-meta --device rtlsdr --freq 433.92M --duration 10s
  liveclf publish --device rtlsdr --freq 433.92M --to tcp://0.0.0.0:5555
  liveclf synth test.hdf5 --windows 30k --seed 7
  liveclf train --run runs/mine
  liveclf evaluate vgg16-slim --data test.hdf5
  liveclf export vgg16-slim --to onnx-fp32 --out vgg16-slim.onnx
  eval "$(liveclf completion bash)"

exit codes: 0 done, 1 failed, 2 wrong use, 3 something to install, 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: Arguments without the program's name; None for those of the process.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments
    speak(asked_format(arguments))
    try:
        if argv is None and "_ARGCOMPLETE" in os.environ:  # a shell asks, at a press of TAB
            from liveclf.cli.completing import complete

            complete()
        code = _dispatch(arguments)
        flush_stdout()
        return code
    except LiveclfError as error:
        say_error(error, str(error), debug=debug)
        return error.exit_code
    except KeyboardInterrupt as error:
        say_error(error, "interrupted", debug=debug)
        return 130
    except BrokenPipeError:  # help or a report into `| head`
        return 0
    except Exception as error:
        message = f"internal error, {type(error).__name__}: {error}; --debug shows where"
        say_error(error, message, debug=debug)
        return 1
    finally:
        flush_stderr()


def build_parser(named: Container[str] = tuple(COMMANDS)) -> Parser:
    """Make the parser of the program.

    Args:
        named: Commands whose flags are needed: each is imported, the others have a name and a
            help only.
    """
    parser = Parser(
        prog="liveclf",
        description="Modulation labels from radios, recordings and streams, continuously.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"liveclf {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}.")
        if name in named:
            import_module(module).add_options(command)
    return parser


def named_in(words: Sequence[str]) -> tuple[str, ...]:
    """Return the command among the words of a command line, if there is one."""
    return tuple(word for word in words if word in COMMANDS)[:1]


def _dispatch(arguments: list[str]) -> int:
    parser = build_parser(named_in(arguments))
    try:
        parsed = parser.parse_args(arguments)
    except SystemExit:  # --help and --version; a wrong use raises UsageError
        return 0
    return int(sys.modules[COMMANDS[parsed.command][0]].execute(parsed))
