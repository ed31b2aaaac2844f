"""The record of every job."""
