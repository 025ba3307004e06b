"""The options that train and experiment share."""

from __future__ import annotations

from pathlib import Path

import click

from cnngraph.cli.complete import complete_devices

data_dir_option = click.option(
    "--data-dir",
    "--data",
    "data_dir",
    type=Path,
    metavar="FOLDER",
    help="Where image sets are kept, or the folder of your own images; by default the variable CNNGRAPH_DATA_DIR.",
)
device_option = click.option(
    "--device",
    metavar="auto|cpu|cuda",
    help="Where it runs; by default as the recipe says.",
    shell_complete=complete_devices,
)
dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    help="Do everything but train: compile, read the data, look at device and folder, and print what would be done.",
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
