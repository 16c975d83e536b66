"""River's logistic regression on bank-marketing, predict then learn: log loss and examples a second."""
import csv
import gzip
import io
import math
import sys
import time

from river import compose, linear_model, optim, preprocessing

rows = []
with gzip.open(sys.argv[1]) as f:
    for row in csv.DictReader(io.TextIOWrapper(f), delimiter=";"):
        y = row.pop("y") == "yes"
        row.pop("duration")
        x = {}
        for k, v in row.items():
            try:
                x[k] = float(v)
            except ValueError:
                x[k + "=" + v] = 1.0
        rows.append((x, y))
model = compose.Pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression(optim.SGD(0.01)))
loss, start = 0.0, time.time()
for x, y in rows:
    p = min(max(model.predict_proba_one(x).get(True, 0.5), 1e-15), 1 - 1e-15)
    loss -= math.log(p if y else 1 - p)
    model.learn_one(x, y)
seconds = time.time() - start
print("| River, logistic regression, bank-marketing | log loss %.5f | %.0f examples/s |" % (loss / len(rows), len(rows) / seconds))
