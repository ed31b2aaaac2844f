NAME = "pipeline"
