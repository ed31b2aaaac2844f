"""`config`: every setting, and where each came from."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass

from ipymlops.config import Setting
from ipymlops.context import Context
from ipymlops.verbs.results import SettingRow, SettingTable
from ipymlops.verbs.verb import VerbOptions

HELP = "show the settings, each with where it came from"
EXAMPLES = ("ipymlops config", "ipymlops config --json")


@dataclass(frozen=True)
class ConfigOptions(VerbOptions):
    """What a `config` line says."""


OPTIONS = ConfigOptions


def add_arguments(parser: ArgumentParser) -> None:
    """It takes none."""


def run(_options: ConfigOptions, context: Context) -> SettingTable:
    home = SettingRow("home", str(context.home), _home_source(context), "where records, logs and local jobs are kept")
    rows = (_row(setting) for setting in context.config.rows() if _is_of_use(setting, context))
    return SettingTable((home, *rows))


def _is_of_use(setting: Setting, context: Context) -> bool:
    """One that is set, whatever it is; else not those of platforms that are not installed."""
    platform, dot, _ = setting.key.partition(".")
    return setting.value is not None or not dot or platform in set(context.platforms)


def _home_source(context: Context) -> str:
    return "environment: IPYMLOPS_HOME" if context.env.get("IPYMLOPS_HOME") else "default"


def _row(setting: Setting) -> SettingRow:
    source = f"{setting.source}: {setting.where}" if setting.where else setting.source
    return SettingRow(setting.key, setting.value, source, setting.help)
