"""Jobs on Amazon SageMaker AI, as its training jobs."""
