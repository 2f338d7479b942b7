"""The command line's root: its commands, and the one place where errors become exit codes."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from vidrt.engine.cli import bench, engines, exit_codes
from vidrt.engine.cli.build import build
from vidrt.engine.cli.decode import decode
from vidrt.engine.cli.doctor import doctor
from vidrt.engine.cli.encode import encode
from vidrt.engine.cli.generate import generate
from vidrt.engine.cli.inspect import inspect
from vidrt.engine.cli.plan import plan
from vidrt.engine.cli.predict import predict
from vidrt.engine.cli.torch_commands import evaluate, export
from vidrt.engine.errors import Error


class _ReportingGroup(TyperGroup):
    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (Error, MemoryError) as error:
            raise typer.Exit(exit_codes.report(error)) from error
        except KeyboardInterrupt:
            print("cancelled", file=sys.stderr)
            raise typer.Exit(exit_codes.CANCELLED) from None


app = typer.Typer(
    cls=_ReportingGroup,
    help="Text-to-video diffusion on the device in front of you.",
    epilog=exit_codes.EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # a user's mistake has no traceback, and ours are shown on request
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import vidrt

        print(f"vidrt {vidrt.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command()(generate)
app.command()(encode)
app.command()(decode)
app.command()(plan)
app.command()(predict)
app.command()(inspect)
app.command()(build)
app.add_typer(engines.app, name="engines")
app.add_typer(bench.app, name="bench")
for _name, _command in (("export", export), ("eval", evaluate)):  # with options of their own
    _options = {"allow_extra_args": True, "ignore_unknown_options": True}
    app.command(_name, add_help_option=False, context_settings=_options)(_command)
app.command()(doctor)


def main() -> None:
    """Run the command line and exit."""
    try:
        app(prog_name="vidrt")
    except Exception as error:  # anything that is not one of our errors is a bug of ours
        sys.exit(exit_codes.report(error))
