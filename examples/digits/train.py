"""Train a small network on scikit-learn's handwritten digits."""

import argparse
import json
import os
import pickle
from pathlib import Path

from features import scaled
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix, log_loss
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--hidden", type=int, nargs="+", default=[64])
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    if args.lr <= 0:
        raise ValueError(f"--lr must be above 0, not {args.lr}")
    output = Path(os.environ.get("IPYMLOPS_OUTPUT_DIR", "output"))
    output.mkdir(parents=True, exist_ok=True)

    images, labels = load_digits(return_X_y=True)
    split = train_test_split(scaled(images), labels, test_size=0.2, random_state=args.seed, stratify=labels)
    train_images, test_images, train_labels, test_labels = split
    print(f"{len(train_images)} images to train on, {len(test_images)} to test", flush=True)

    model = MLPClassifier(tuple(args.hidden), learning_rate_init=args.lr, random_state=args.seed)
    for epoch in range(1, args.epochs + 1):
        model.partial_fit(train_images, train_labels, classes=range(10))
        loss = log_loss(test_labels, model.predict_proba(test_images))
        accuracy = model.score(test_images, test_labels)
        print(f"epoch {epoch} loss {loss:.4f} accuracy {accuracy:.4f}", flush=True)

    confusion = confusion_matrix(test_labels, model.predict(test_images))
    (output / "model.pkl").write_bytes(pickle.dumps(model))
    (output / "confusion.csv").write_text("\n".join(",".join(map(str, row)) for row in confusion) + "\n")
    (output / "report.json").write_text(json.dumps({"loss": loss, "accuracy": accuracy, **vars(args)}, indent=2) + "\n")
    print(f"wrote {', '.join(sorted(path.name for path in output.iterdir()))}", flush=True)


if __name__ == "__main__":
    main()
