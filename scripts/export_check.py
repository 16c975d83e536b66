"""Compares an exported topic with the topic, by DuckDB, pandas and pyarrow.

    export_check.py FOLDER FORMAT < messages

FOLDER is the folder of the topic. The messages are those of the topic as `clickloop tail -J` or
`kcat -J` print them: nothing of clickloop takes part in reading them. Each record must be in the
files once. Of each column of numbers the sum must be that of the messages, and of each column of
texts the number and the length. It prints what it compared as one JSON object.
"""

import glob
import json
import math
import sys
from collections import defaultdict

import duckdb
import pandas
import pyarrow
import pyarrow.dataset
import pyarrow.parquet


def fail(text, *args):
    sys.exit("export_check: " + text % args)


def flattened(prefix, members):
    for name, value in members.items():
        if isinstance(value, dict) and value:
            yield from flattened(prefix + name + ".", value)
        else:
            yield prefix + name, value


MAPS = {"p", "model", "age_ms", "features", "context", "properties", "segment"}


class Topic:
    """What the messages hold: sums of numbers, and numbers and lengths of texts, by column."""

    def __init__(self, lines):
        self.places, self.numbers, self.texts = set(), defaultdict(list), defaultdict(list)
        for line in lines:
            envelope = json.loads(line)
            self.places.add((envelope["partition"], envelope["offset"]))
            self.numbers["kafka_offset"].append(envelope["offset"])
            for name, value in json.loads(envelope["payload"]).items():
                if name in MAPS:
                    for entry, inner in flattened(name + ".", value):
                        self.add(entry, inner)
                else:
                    self.add(name, value)

    def add(self, name, value):
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            self.numbers[name].append(value)
        elif isinstance(value, str) and name not in ("time", "received"):
            self.texts[name].append(len(value))


def compare(tool, topic, rows, places, column):
    """column returns the values of a column that are no nulls."""
    if rows != len(topic.places) or set(places) != topic.places or len(places) != rows:
        fail("%s has %d rows of %d records, and the topic %d", tool, rows, len(set(places)), len(topic.places))
    for name, values in topic.numbers.items():
        found = [float(v) for v in column(name)]
        if len(found) != len(values) or math.fsum(found) != math.fsum(values):
            fail("%s: column %s has %d numbers and the sum %r, the topic %d and %r", tool, name, len(found), math.fsum(found), len(values), math.fsum(values))
    for name, lengths in topic.texts.items():
        found = [len(v) for v in column(name)]
        if len(found) != len(lengths) or sum(found) != sum(lengths):
            fail("%s: column %s has %d texts of %d characters, the topic %d of %d", tool, name, len(found), sum(found), len(lengths), sum(lengths))


def duck(topic, source):
    db = duckdb.connect()
    db.sql("set timezone = 'UTC'")
    db.sql(f"create {'table' if 'read_csv' in source else 'view'} t as from {source}")  # text is read once
    rows, distinct = db.sql("select count(*), count(distinct (kafka_partition, kafka_offset)) from t").fetchall()[0]
    if rows != distinct:
        fail("DuckDB counts %d rows of %d records", rows, distinct)
    places = db.sql("select kafka_partition, kafka_offset from t").fetchall()
    quoted = lambda name: '"' + name.replace('"', '""') + '"'
    compare("DuckDB", topic, rows, places, lambda name: [v for v, in db.sql(f"select {quoted(name)} from t where {quoted(name)} is not null").fetchall()])
    wrong = db.sql("select count(*) from t where hour <> strftime(time at time zone 'UTC', '%Y-%m-%dT%H')").fetchall()[0][0]
    if wrong:
        fail("%d rows are in the folder of another hour", wrong)
    if "read_parquet" in source:  # maps say the same as columns
        for column in db.sql("select column_name from (describe t) where column_name like 'features.%'").fetchall():
            name = column[0].removeprefix("features.")
            if ":" not in name:
                differ = db.sql(f"select count(*) from t where {quoted(column[0])}::varchar is distinct from coalesce(features[$1].number::varchar, features[$1].text, features[$1].json)", params=[name]).fetchall()[0][0]
                if differ:
                    fail("column %s differs from the map in %d rows", column[0], differ)
    return rows


def main(folder, form):
    topic = Topic(sys.stdin)
    compared = {"records": len(topic.places), "columns": len(topic.numbers) + len(topic.texts)}
    if form == "parquet":
        compared["duckdb"] = duck(topic, f"read_parquet('{folder}/hour=*/*.parquet', union_by_name = true)")
        schema = pyarrow.parquet.read_schema(folder + "/_common_metadata")
        flat = [field.name for field in schema if not pyarrow.types.is_map(field.type)]  # a map is a list of tuples in pandas
        table = pyarrow.dataset.dataset(folder, partitioning="hive", schema=schema).to_table(columns=flat)
        at = zip(table["kafka_partition"].to_pylist(), table["kafka_offset"].to_pylist())
        compare("pyarrow", topic, table.num_rows, list(at), lambda name: table[name].drop_null().to_pylist())
        compared["pyarrow"] = table.num_rows
        frame = pandas.read_parquet(folder, schema=schema, columns=flat)
    elif form == "csv":
        compared["duckdb"] = duck(topic, f"read_csv('{folder}/hour=*/*.csv', union_by_name = true, hive_partitioning = true, allow_quoted_nulls = false, hive_types_autocast = false, sample_size = -1)")
        frame = pandas.concat(pandas.read_csv(f, keep_default_na=False, na_values=[""], low_memory=False) for f in glob.glob(folder + "/hour=*/*.csv"))
    else:
        fail("the format %s is neither parquet nor csv", form)
    at = zip(frame["kafka_partition"].astype(int).tolist(), frame["kafka_offset"].astype(int).tolist())
    compare("pandas", topic, len(frame), list(at), lambda name: frame[name].dropna().tolist())
    compared["pandas"] = len(frame)
    print(json.dumps(compared))


main(*sys.argv[1:])
