"""Settings: one frozen object that knows where each value came from."""

from ipymlops.config.home import home_of
from ipymlops.config.known import SETTINGS, Known
from ipymlops.config.settings import Config, Setting, load
from ipymlops.config.writing import write_user

__all__ = ["SETTINGS", "Config", "Known", "Setting", "home_of", "load", "write_user"]
