"""Options shared by train and experiment."""

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
    help="The folder of the data sets, or of your own images. Default: the environment variable CNNGRAPH_DATA_DIR.",
)
device_option = click.option(
    "--device",
    metavar="auto|cpu|cuda",
    help="The device to train on. Default: the recipe's.",
    shell_complete=complete_devices,
)
dry_run_option = click.option(
    "--dry-run",
    is_flag=True,
    help="Compile the network, read the data, check the device and the folder, and print a summary, without training.",
)
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print only errors.")
