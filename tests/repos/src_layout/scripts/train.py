from lab.model import WEIGHT

print("weight", WEIGHT, flush=True)
