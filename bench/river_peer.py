"""River's logistic regression on bank-marketing as its manual does it, predict then learn: prints log loss and examples a second, reading included."""
import gzip
import io
import numbers
import sys
import time

from river import compose, linear_model, metrics, preprocessing, stream

NUMBERS = ["age", "campaign", "pdays", "previous", "emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed"]

start = time.time()
model = (
    (compose.SelectType(str) | preprocessing.OneHotEncoder()) + (compose.SelectType(numbers.Number) | preprocessing.StandardScaler())
) | linear_model.LogisticRegression()
loss, rows = metrics.LogLoss(), 0
with gzip.open(sys.argv[1]) as f:
    for x, y in stream.iter_csv(
        io.TextIOWrapper(f), target="y", drop=["duration"], delimiter=";", converters={name: float for name in NUMBERS} | {"y": lambda v: v == "yes"}
    ):
        loss.update(y, model.predict_proba_one(x))
        model.learn_one(x, y)
        rows += 1
print("%.5f %.0f" % (loss.get(), rows / (time.time() - start)))
