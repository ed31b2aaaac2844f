"""AWS on loopback for tests: SageMaker's training jobs by its own rules, moto for the services beside it."""

from tests.servers.sagemaker_api.asked import Call
from tests.servers.sagemaker_api.faults import Faults
from tests.servers.sagemaker_api.record import TrainingJobRecord
from tests.servers.sagemaker_api.scripted import Scripted
from tests.servers.sagemaker_api.server import SageMakerApi, sagemaker_api, signed_in

__all__ = ["Call", "Faults", "SageMakerApi", "Scripted", "TrainingJobRecord", "sagemaker_api", "signed_in"]
