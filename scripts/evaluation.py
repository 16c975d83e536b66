"""Compares an evaluation with scikit-learn, and with plain sums where scikit-learn has no such metric.

    clickloop tail examples.click -o beginning -e > examples.jsonl
    curl -s 'localhost:8081/v1/evaluation?objective=click' > evaluation.json
    scripts/evaluation.py examples.jsonl evaluation.json

docs/evaluation.md has the definitions. scripts/sklearn.sh prints a Python that has what is imported.
"""

import json
import sys
from collections import defaultdict

import numpy as np
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

PARTS = 15
OF_USER = 32


def examples(path):
    """Yields the examples that count: each prediction's first, no revisions."""
    highest = {}
    for line in open(path, encoding="utf-8"):
        x = json.loads(line)
        place = (x["source"].get("topic"), x["source"]["partition"])
        if x.get("revision") or x["source"]["offset"] <= highest.get(place, -1) or (x["p"] == 0 and not x.get("model")):
            continue
        highest[place] = x["source"]["offset"]
        yield x


def shares(p, y, w):
    """The examples in the order of p. Those of one p have the same label, their mean: no order of them counts."""
    order = np.argsort(p, kind="stable")
    p, y, w = p[order], y[order], w[order]
    _, start, of = np.unique(p, return_index=True, return_inverse=True)
    mean = np.add.reduceat(w * y, start) / np.add.reduceat(w, start)
    return p, mean[of], w


def between(p, y, w, low, high):
    """Weight, predicted and actual of the examples from one cumulated weight to another."""
    end = np.cumsum(w)
    part = np.clip(np.minimum(end, high) - np.maximum(end - w, low), 0, None)
    return part.sum(), (part * p).sum(), (part * y).sum()


def gauc(all_):
    """AUC within users, by pairs, weighted by their examples; users of one class are left out."""
    users = defaultdict(list)
    for x in all_:
        if x.get("user_hash") and x["w"] != 0 and len(users[x["user_hash"]]) < OF_USER:
            users[x["user_hash"]].append((x["p"], x["y"], x["w"]))
    total = weight = 0.0
    count = 0
    for list_ in users.values():
        pairs = won = 0.0
        for p, y, w in list_:
            for p2, y2, w2 in list_:
                if y == 1 and y2 == 0:
                    pairs += w * w2
                    won += w * w2 * ((p > p2) + (p == p2) / 2)
        if pairs:
            w = sum(x[2] for x in list_)
            total, weight, count = total + w * won / pairs, weight + w, count + 1
    return (total / weight if weight else None), count


def main(examples_path, evaluation_path):
    all_ = list(examples(examples_path))
    p, y, w = (np.array([float(x[k]) for x in all_]) for k in ("p", "y", "w"))
    # weights of 0 change no sum, and scikit-learn would count them as thresholds
    p, y, w = p[w > 0], y[w > 0], w[w > 0]
    base = np.average(y, weights=w)
    loss = log_loss(y, p, sample_weight=w)
    by_score, total = shares(p, y, w), w.sum()
    parts = [between(*by_score, total * k / PARTS, total * (k + 1) / PARTS) for k in range(PARTS)]
    want = {
        "log_loss": loss,
        "auc": roc_auc_score(y, p, sample_weight=w),
        "average_precision": average_precision_score(y, p, sample_weight=w),
        "brier": brier_score_loss(y, p, sample_weight=w),
        # from here on no function of scikit-learn
        "normalized_entropy": loss / -(base * np.log(base) + (1 - base) * np.log(1 - base)),
        "predicted_over_actual": (w * p).sum() / (w * y).sum(),
        "ece": sum(abs(predicted - actual) for _, predicted, actual in parts) / total,
        "lift": between(*by_score, 0.9 * total, total)[2] / (0.1 * total) / base,
    }
    users = {}
    want["gauc"], users["users"] = gauc(all_)
    got = json.load(open(evaluation_path, encoding="utf-8"))
    counts = {"examples": len(all_), "positives": int(sum(x["y"] for x in all_)), **users}
    wrong = [f"{k} is {got.get(k)}, want {v}" for k, v in counts.items() if (got.get(k) or 0) != v]
    for name, value in want.items():
        have = got.get(name)
        off = 0.0 if have is None and value is None else abs(have - value) if None not in (have, value) else float("inf")
        print(f"{name:22} {value!s:22} off by {off:.2g}")
        if not off <= 1e-9:
            wrong.append(f"{name} is {have}, want {value}")
    if len(got["calibration"]) != PARTS:
        wrong.append(f"there are {len(got['calibration'])} parts of calibration, want {PARTS}")
    for have, part in zip(got["calibration"], parts):
        for name, value in zip(("weight", "predicted", "actual"), part):
            if abs(have[name] - value) > 1e-9 * total:
                wrong.append(f"a part of calibration has {name} {have[name]}, want {value}")
    if len(got["scores"]) != 17 or sum(got["scores"]) != len(all_):
        wrong.append(f"scores are {got['scores']}, want {len(all_)} in 17 parts")
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
