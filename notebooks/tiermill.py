"""What the notebooks share: calling the binary, and one look for all figures."""

import json
import os
import pathlib
import subprocess

import matplotlib.pyplot as plt
import polars as pl

ROOT = pathlib.Path(__file__).resolve().parents[1]
CONFIG = ROOT / "data" / "tiermill.toml"

# Best to worst, told apart by colour-blind readers too: lightness falls from tier to tier.
COLOURS = ["#00204d", "#414d6b", "#7c7b78", "#bcae6c", "#e8c53a", "#8c510a", "#bf812d", "#dfc27d"]


def binary() -> pathlib.Path:
    """The binary under $TIERMILL, else the newest that cargo built."""
    if "TIERMILL" in os.environ:
        return pathlib.Path(os.environ["TIERMILL"])
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [path for path in (target / "release" / "tiermill", target / "debug" / "tiermill") if path.exists()]
    if not built:
        raise FileNotFoundError("no tiermill binary: run `make run` or `cargo build` first, or set $TIERMILL")
    return max(built, key=lambda path: path.stat().st_mtime)


def tiermill(*arguments: object) -> dict:
    """Runs a command and gives its JSON; what it says on stderr is the error."""
    command = [binary(), *map(str, arguments), "--format", "json", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"tiermill {arguments[0]} ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def style() -> None:
    """Quiet figures, and tables that show every row."""
    plt.rcParams.update(
        {
            "figure.figsize": (9, 3.2),
            "figure.dpi": 90,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": 11,
            "font.size": 9,
            "legend.frameon": False,
        }
    )
    pl.Config.set_tbl_rows(40)
    pl.Config.set_tbl_cols(12)
    pl.Config.set_fmt_str_lengths(100)
    pl.Config.set_tbl_width_chars(170)
    pl.Config.set_tbl_hide_dataframe_shape(True)
    pl.Config.set_tbl_hide_column_data_types(True)
    pl.Config.set_float_precision(3)
    pl.Config.set_thousands_separator(",")
